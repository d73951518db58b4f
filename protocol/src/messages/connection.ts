import * as z from 'zod/mini';
import { uuidSchema } from '../ids.ts';
import { type Parsed, parseWith } from '../parse.ts';
import { countersSchema } from './counters.ts';
import { messageHeader } from './header.ts';
import { componentHealthSchema } from './telemetry.ts';

/** Payload of `telemetry/{device_uuid}/connection/status`. The will is signed when the connection begins. */
export const connectionSchema = z.discriminatedUnion('event', [
  z.strictObject({
    ...messageHeader,
    event: z.literal('online'),
    connectionId: uuidSchema,
    /** Serial number of the client certificate in lower-case hex. */
    certificateSerial: z.string().check(z.regex(/^[0-9a-f]{1,40}$/)),
    agentVersion: z.string().check(z.maxLength(40)),
    health: z.optional(z.array(componentHealthSchema).check(z.maxLength(64))),
    counters: z.optional(countersSchema),
  }),
  z.strictObject({ ...messageHeader, event: z.literal('offline'), connectionId: uuidSchema }),
]);
export type ConnectionMessage = z.infer<typeof connectionSchema>;

export function parseConnectionMessage(input: unknown): Parsed<ConnectionMessage> {
  return parseWith(connectionSchema, input);
}
