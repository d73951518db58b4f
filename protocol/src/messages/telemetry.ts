import * as z from 'zod/mini';
import { componentIdSchema, epochMsSchema, metricSchema } from '../ids.ts';
import { type Parsed, parseWith } from '../parse.ts';
import { countersSchema } from './counters.ts';
import { messageHeader } from './header.ts';
import { sentenceSchema } from './sentence.ts';

/** Most readings in one message. */
export const MAX_READINGS_PER_MESSAGE = 500;
/** Measured times before this are of a device without a clock (2024-01-01T00:00:00Z). */
export const EARLIEST_MEASURED_AT_MS = 1_704_067_200_000;

/**
 * One measured value. `seq` counts from 1 within the boot and never changes, as `measuredAt` (trusted clock,
 * epoch ms) or `uptimeMs` (no trusted clock, ms since the boot began) never change.
 */
export const readingSchema = z.strictObject({
  seq: z.int().check(z.positive()),
  componentId: componentIdSchema,
  metric: metricSchema,
  value: z.number(),
  measuredAt: z.optional(epochMsSchema),
  uptimeMs: z.optional(z.int().check(z.nonnegative())),
  /** `suspect`: in range, but changed faster than the sensor plausibly can. */
  quality: z.optional(z.enum(['good', 'suspect'])),
});
export type Reading = z.infer<typeof readingSchema>;

/** Whether a component works; sent when it changes and in each birth. */
export const componentHealthSchema = z.strictObject({
  componentId: componentIdSchema,
  status: z.enum(['OK', 'ERROR']),
  reason: z.optional(sentenceSchema),
  /** Time between two readings, where it is not the one that every cloud knows of the type. */
  sampleIntervalMs: z.optional(z.int32().check(z.positive())),
});
export type ComponentHealth = z.infer<typeof componentHealthSchema>;

/** Payload of `telemetry/{user_email}/{device_uuid}/{component_type}/status`. `readings` are parsed one by one. */
export const envelopeSchema = z.strictObject({
  ...messageHeader,
  readings: z.array(z.unknown()).check(z.maxLength(MAX_READINGS_PER_MESSAGE)),
  health: z.optional(z.array(componentHealthSchema).check(z.maxLength(64))),
  counters: z.optional(countersSchema),
});
export type TelemetryEnvelope = z.infer<typeof envelopeSchema>;
export type TelemetryMessage = Omit<TelemetryEnvelope, 'readings'> & {
  readonly readings: readonly Reading[];
};

/** The envelope with its readings still unknown: one bad reading must not refuse its neighbours. */
export function parseTelemetryEnvelope(input: unknown): Parsed<TelemetryEnvelope> {
  return parseWith(envelopeSchema, input);
}

/** One reading of an envelope. */
export function parseReading(input: unknown): Parsed<Reading> {
  const parsed = parseWith(readingSchema, input);
  if (!parsed.ok) return parsed;
  const { measuredAt, uptimeMs } = parsed.value;
  if ((measuredAt === undefined) === (uptimeMs === undefined)) {
    return {
      ok: false,
      issues: [{ path: 'measuredAt', message: 'give exactly one of measuredAt and uptimeMs' }],
    };
  }
  return parsed;
}
