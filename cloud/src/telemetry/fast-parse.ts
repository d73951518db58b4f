import {
  MAX_READINGS_PER_MESSAGE,
  MESSAGE_VERSION,
  type Parsed,
  parseReading,
  parseTelemetryEnvelope,
  type Reading,
  type TelemetryEnvelope,
} from '@ares/protocol';

/**
 * The parsers of the hot path: what is plainly valid is recognised by hand, everything else is left to the schema.
 * They may only be stricter than the schema, never more lenient; a test holds them against it.
 */

const ENVELOPE_MEMBERS = 11;
const HEX_32 = /^[0-9a-f]{32}$/;
const KEY_ID = /^a[1-9][0-9]{0,9}\.[1-9][0-9]{0,5}$/;
const CPU_SERIAL = /^[0-9a-f]{8,32}$/;
const HARDWARE = /^[a-z0-9][a-z0-9.-]{0,39}$/;
const METRIC = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
const MAX_INT4 = 2_147_483_647;
const MAX_TIME = 8_640_000_000_000_000;

const isIntegerIn = (value: unknown, low: number, high: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high;
const isMatch = (value: unknown, pattern: RegExp): boolean =>
  typeof value === 'string' && pattern.test(value);

export function parseEnvelopeFast(input: unknown): Parsed<TelemetryEnvelope> {
  return isPlainEnvelope(input) ? { ok: true, value: input } : parseTelemetryEnvelope(input);
}

function isPlainEnvelope(input: unknown): input is TelemetryEnvelope {
  if (typeof input !== 'object' || input === null || 'health' in input) return false;
  const it = input as Record<keyof TelemetryEnvelope, unknown>;
  return (
    it.v === MESSAGE_VERSION &&
    isMatch(it.kid, KEY_ID) &&
    isIntegerIn(it.assignment, 1, MAX_INT4) &&
    isMatch(it.bootId, HEX_32) &&
    isIntegerIn(it.bootCount, 1, MAX_INT4) &&
    (it.sentAt === null || isIntegerIn(it.sentAt, 0, MAX_TIME)) &&
    isIntegerIn(it.uptimeMs, 0, Number.MAX_SAFE_INTEGER) &&
    isMatch(it.cpuSerial, CPU_SERIAL) &&
    isMatch(it.hardwareVersion, HARDWARE) &&
    isMatch(it.hardwareVariant, HARDWARE) &&
    Array.isArray(it.readings) &&
    it.readings.length <= MAX_READINGS_PER_MESSAGE &&
    Object.keys(it).length === ENVELOPE_MEMBERS
  );
}

/** Names of metrics that were found valid; few exist, and each is looked up again later. */
const metricNames = new Set<string>();
const MOST_NAMES = 1_000;

function isMetricName(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  if (metricNames.has(value)) return true;
  if (value.length > 40 || !METRIC.test(value)) return false;
  if (metricNames.size < MOST_NAMES) metricNames.add(value);
  return true;
}

export function parseReadingFast(input: unknown): Parsed<Reading> {
  return isPlainReading(input) ? { ok: true, value: input } : parseReading(input);
}

/** Exactly `seq, componentId, metric, value` and one of `measuredAt` and `uptimeMs`. */
function isPlainReading(input: unknown): input is Reading {
  if (typeof input !== 'object' || input === null) return false;
  const it = input as Record<keyof Reading, unknown>;
  const hasTime = it.measuredAt !== undefined;
  return (
    isIntegerIn(it.seq, 1, Number.MAX_SAFE_INTEGER) &&
    isIntegerIn(it.componentId, 1, MAX_INT4) &&
    isMetricName(it.metric) &&
    Number.isFinite(it.value) &&
    (hasTime
      ? isIntegerIn(it.measuredAt, 0, MAX_TIME) && it.uptimeMs === undefined
      : isIntegerIn(it.uptimeMs, 0, Number.MAX_SAFE_INTEGER)) &&
    Object.keys(it).length === 5
  );
}
