import * as z from 'zod/mini';
import { bootIdSchema, epochMsSchema, keyIdSchema, uuidSchema } from '../ids.ts';
import { type Parsed, parseWith } from '../parse.ts';
import { MESSAGE_VERSION } from './header.ts';

/** Why a reading was refused. A `final` refusal is kept as a dead letter, others are sent again. */
const readingProblemSchema = z.enum([
  'SCHEMA',
  'RANGE',
  'UNKNOWN_METRIC',
  'NOT_ATTACHED',
  'TOO_OLD',
  'CLOCK',
  'NOT_STORABLE',
  'TOO_MANY_BOOTS',
  'QUARANTINED',
]);
export type ReadingProblem = z.infer<typeof readingProblemSchema>;

const seqSchema = z.int().check(z.positive());

/** Payload of `commands/{device_uuid}/telemetry/ack`. Names exactly what the database holds. */
export const acknowledgementSchema = z.strictObject({
  v: z.literal(MESSAGE_VERSION),
  kid: keyIdSchema,
  bootId: bootIdSchema,
  /** Inclusive ranges of `seq`. */
  stored: z.array(z.tuple([seqSchema, seqSchema])).check(z.maxLength(1_000)),
  rejected: z
    .array(z.strictObject({ seq: seqSchema, code: readingProblemSchema, final: z.boolean() }))
    .check(z.maxLength(1_000)),
  /** Commands whose results are stored. */
  results: z.optional(z.array(uuidSchema).check(z.maxLength(1_000))),
  cloudTime: epochMsSchema,
});
export type Acknowledgement = z.infer<typeof acknowledgementSchema>;

export function parseAcknowledgement(input: unknown): Parsed<Acknowledgement> {
  return parseWith(acknowledgementSchema, input);
}

/** `[1,2,3,7]` → `[[1,3],[7,7]]`. */
export function toRanges(seqs: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const seq of [...seqs].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && seq <= last[1] + 1) last[1] = seq;
    else ranges.push([seq, seq]);
  }
  return ranges;
}
