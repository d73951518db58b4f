import { parseReading, parseTelemetryEnvelope } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { parseEnvelopeFast, parseReadingFast } from '../../src/telemetry/fast-parse.ts';

const reading = { seq: 1, componentId: 7, metric: 'load_average', value: 1.5, measuredAt: 1_800_000_000_000 };
const envelope = {
  v: 1,
  kid: 'a1.1',
  assignment: 1,
  bootId: 'ab'.repeat(16),
  bootCount: 3,
  sentAt: 1_800_000_000_000,
  uptimeMs: 5,
  cpuSerial: '00000000deadbeef',
  hardwareVersion: 'pi-4',
  hardwareVariant: 'standard',
  readings: [reading],
};
const strange = [
  undefined,
  null,
  '',
  'x',
  'A1',
  '__proto__',
  '\u0000',
  '\ud800',
  'a'.repeat(41),
  'a_',
  '1',
  0,
  -0,
  -1,
  1.5,
  1,
  2,
  500,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  8.64e15,
  8.64e15 + 1,
  1e308,
  Number.POSITIVE_INFINITY,
  Number.NaN,
  true,
  [],
  {},
  [null],
];

function* variants(valid: Record<string, unknown>): Generator<unknown> {
  yield valid;
  for (const key of Object.keys(valid)) {
    const { [key]: _gone, ...rest } = valid;
    yield rest;
    for (const value of strange) yield { ...valid, [key]: value };
  }
  for (const value of strange) {
    yield value;
    yield { ...valid, extra: value };
    yield { ...valid, health: value };
    yield { ...valid, quality: value };
    yield { ...valid, uptimeMs: value, measuredAt: undefined };
  }
}

describe('the parsers of the hot path', () => {
  it.each([
    ['readings', reading, parseReadingFast, parseReading],
    ['envelopes', envelope, parseEnvelopeFast, parseTelemetryEnvelope],
  ] as const)('judge %s as the schema does, whatever is in them', (_name, valid, fast, slow) => {
    let accepted = 0;
    for (const input of variants(valid)) {
      const [ours, theirs] = [fast(input), slow(input)];
      expect(ours.ok, JSON.stringify(input)).toBe(theirs.ok);
      if (!ours.ok || !theirs.ok) continue;
      accepted += 1;
      expect(ours.value).toEqual(theirs.value);
    }
    expect(accepted).toBeGreaterThan(5);
  });

  it('takes the plain form itself, without the schema', () => {
    const parsed = parseReadingFast(reading);
    expect(parsed.ok && parsed.value).toBe(reading);
    const whole = parseEnvelopeFast(envelope);
    expect(whole.ok && whole.value).toBe(envelope);
  });
});
