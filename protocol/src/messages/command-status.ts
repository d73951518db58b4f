import * as z from 'zod/mini';
import { epochMsSchema, uuidSchema } from '../ids.ts';
import { type Parsed, parseWith } from '../parse.ts';
import { messageHeader } from './header.ts';
import { sentenceSchema } from './sentence.ts';

/**
 * Final states of a command.
 * `COMPLETED` acted and verified · `FAILED` the driver said no · `REJECTED` never acted, see `code` ·
 * `EXPIRED` came too late · `STALE` overtaken by a later command · `UNKNOWN` power was lost while acting, never run again.
 */
const commandOutcomeSchema = z.enum(['COMPLETED', 'FAILED', 'REJECTED', 'EXPIRED', 'STALE', 'UNKNOWN']);
export type CommandOutcome = z.infer<typeof commandOutcomeSchema>;

/** Why a device did not act, or failed. */
const commandProblemSchema = z.enum([
  'ADDRESS_TIMEOUT',
  'BAD_ARGUMENTS',
  'CLOCK_UNTRUSTED',
  'CLOUD_UNREACHABLE',
  'COMPONENT_ERROR',
  'DRIVER_FAILED',
  'EXPIRED',
  'GUARD_UNAVAILABLE',
  'LIMIT',
  'BUSY',
  'NOT_ATTACHED',
  'POWER_LOST',
  'STALE',
  'UNKNOWN_ACTION',
  'WIFI_FAILED',
  'WIFI_NOT_FOUND',
  'WIFI_WRONG_PASSWORD',
]);
export type CommandProblem = z.infer<typeof commandProblemSchema>;

const commandResultSchema = z.strictObject({
  commandId: uuidSchema,
  outcome: commandOutcomeSchema,
  code: z.optional(commandProblemSchema),
  detail: z.optional(sentenceSchema),
  /** Device time of the outcome; absent without a trusted clock. */
  at: z.optional(epochMsSchema),
  /** Output level read back from the line after acting. */
  verified: z.optional(z.boolean()),
  /** When the output goes to its safe state by itself. */
  leaseEndsAt: z.optional(epochMsSchema),
});
export type CommandResult = z.infer<typeof commandResultSchema>;

/** Payload of `telemetry/{device_uuid}/commands/status`. */
export const commandStatusSchema = z.strictObject({
  ...messageHeader,
  results: z.array(commandResultSchema).check(z.minLength(1), z.maxLength(100)),
});
export type CommandStatusMessage = z.infer<typeof commandStatusSchema>;

export function parseCommandStatus(input: unknown): Parsed<CommandStatusMessage> {
  return parseWith(commandStatusSchema, input);
}
