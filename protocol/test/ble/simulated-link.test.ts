import { describe, expect, it } from 'vitest';
import { encodeRecord, RecordDecoder, type SimulatedRecord } from '../../src/ble/index.ts';
import { utf8 } from './support.ts';

const records: SimulatedRecord[] = [
  { kind: 'connect', mtuPayload: 244 },
  { kind: 'connected' },
  { kind: 'read-info' },
  { kind: 'info-value', value: utf8('info') },
  { kind: 'write', chunk: utf8('request') },
  { kind: 'notify', chunk: new Uint8Array(512) },
  { kind: 'disconnect', reason: 'back-off: ünd' },
];

describe('the simulated link', () => {
  it.each([1, 2, 3, 5, 1_000])('carries every record in pieces of %i bytes', (size) => {
    const stream = Uint8Array.from(records.flatMap((record) => [...encodeRecord(record)]));
    const decoder = new RecordDecoder();
    const found: SimulatedRecord[] = [];
    for (let at = 0; at < stream.length; at += size) found.push(...decoder.push(stream.slice(at, at + size)));
    expect(found).toEqual(records);
  });

  it('refuses what a radio could not carry', () => {
    expect(() => encodeRecord({ kind: 'write', chunk: new Uint8Array(513) })).toThrow(RangeError);
    for (const bytes of [
      [0, 0, 0],
      [8, 0, 0],
      [5, 255, 255],
      [1, 0, 1, 0],
    ]) {
      expect(() => new RecordDecoder().push(Uint8Array.from(bytes))).toThrow(RangeError);
    }
  });
});
