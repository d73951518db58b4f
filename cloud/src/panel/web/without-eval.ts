import { config } from 'zod';

// zod would probe for `new Function`, which the content security policy forbids and reports. It does so when the
// first schema is made, so this module stands before all that make one.
config({ jitless: true });
