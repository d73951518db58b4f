import { createMemoryStateStore } from '../../cloud/src/adapters/memory-state-store.ts';
import { describeStateStore } from './state-store-suite.ts';

describeStateStore('the state store in memory', async () => createMemoryStateStore());
