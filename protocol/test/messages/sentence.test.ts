import { describe, expect, it } from 'vitest';
import { parseCommandStatus, parseTelemetryEnvelope } from '../../src/index.ts';

const header = {
  v: 1,
  kid: 'a1.1',
  assignment: 1,
  bootId: '0'.repeat(32),
  bootCount: 1,
  sentAt: null,
  uptimeMs: 1,
  cpuSerial: '00000000abcdef01',
  hardwareVersion: 'sim-1',
  hardwareVariant: 'standard',
};
const result = (detail: string) =>
  parseCommandStatus({
    ...header,
    results: [{ commandId: '6d2c1f3e-8f9a-4b7c-9d0e-1a2b3c4d5e6f', outcome: 'FAILED', detail }],
  });
const health = (reason: string) =>
  parseTelemetryEnvelope({ ...header, readings: [], health: [{ componentId: 1, status: 'ERROR', reason }] });

describe('a sentence for the owner', () => {
  it.each([
    ['NUL', 'a\u0000b'],
    ['a lone surrogate', 'a\ud83db'],
    ['501 characters', 'x'.repeat(501)],
  ])('TEL-12 is refused with %s, which no database would store', (_what, text) => {
    expect(result(text).ok).toBe(false);
    expect(health(text).ok).toBe(false);
  });

  it('may be of any language', () => {
    expect(result('Насос не отвечает 🔥').ok).toBe(true);
    expect(health('水泵没有回应').ok).toBe(true);
  });
});
