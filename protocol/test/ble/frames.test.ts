import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameDecoder, type FrameResult, MAX_MESSAGE_BYTES } from '../../src/ble/index.ts';
import { hex, seededRandom, utf8 } from './support.ts';

const join = (chunks: Uint8Array[]) => Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
const frame = (text: string) => join(encodeFrame(utf8(text), 512));
const describeResults = (results: FrameResult[]) =>
  results.map((result) => (result.ok ? Buffer.from(result.message).toString() : result.error.code));

describe('encoding a frame', () => {
  it('puts the length first and cuts to the size of a write', () => {
    expect(encodeFrame(utf8('hello'), 3).map(hex)).toEqual(['000568', '656c6c', '6f']);
  });

  it('refuses what no decoder would take', () => {
    expect(() => encodeFrame(new Uint8Array(0), 20)).toThrow('FRAME_EMPTY');
    expect(() => encodeFrame(new Uint8Array(MAX_MESSAGE_BYTES + 1), 20)).toThrow('FRAME_TOO_LARGE');
    expect(() => encodeFrame(utf8('x'), 0)).toThrow(RangeError);
    expect(encodeFrame(new Uint8Array(MAX_MESSAGE_BYTES), 512)).toHaveLength(9);
  });
});

describe('decoding frames', () => {
  it('BLE-07 finds two frames under every possible split into three writes', () => {
    const stream = join([frame('first'), frame('2nd')]);
    for (let a = 0; a <= stream.length; a += 1) {
      for (let b = a; b <= stream.length; b += 1) {
        const decoder = new FrameDecoder();
        const parts = [stream.slice(0, a), stream.slice(a, b), stream.slice(b)];
        expect(describeResults(parts.flatMap((part) => decoder.push(part)))).toEqual(['first', '2nd']);
      }
    }
  });

  it('BLE-07 finds a frame under every way to cut it at all', () => {
    const stream = frame('abcdefgh');
    for (let cuts = 0; cuts < 2 ** (stream.length - 1); cuts += 1) {
      const decoder = new FrameDecoder();
      const results: FrameResult[] = [];
      let from = 0;
      for (let at = 1; at <= stream.length; at += 1) {
        if (at < stream.length && !(cuts & (1 << (at - 1)))) continue;
        results.push(...decoder.push(stream.slice(from, at)));
        from = at;
      }
      expect(describeResults(results)).toEqual(['abcdefgh']);
    }
  });

  it('BLE-07 reports a frame of zero bytes and reads the next one', () => {
    const decoder = new FrameDecoder();
    expect(describeResults(decoder.push(join([Uint8Array.of(0, 0), frame('next')])))).toEqual([
      'FRAME_EMPTY',
      'next',
    ]);
  });

  it('BLE-07 skips a frame over 4 KiB by its own length, however cut, and reads the next one', () => {
    const size = MAX_MESSAGE_BYTES + 1;
    const stream = join([Uint8Array.of(size >> 8, size & 255), new Uint8Array(size).fill(9), frame('next')]);
    for (const step of [1, 7, 20, 4097, 10_000]) {
      const decoder = new FrameDecoder();
      const results: FrameResult[] = [];
      for (let at = 0; at < stream.length; at += step)
        results.push(...decoder.push(stream.slice(at, at + step)));
      expect(describeResults(results)).toEqual(['FRAME_TOO_LARGE', 'next']);
    }
  });

  it('BLE-07 waits for the rest of a truncated frame', () => {
    const decoder = new FrameDecoder();
    expect(decoder.push(Uint8Array.of(0))).toEqual([]);
    expect(decoder.push(Uint8Array.of(2, 65))).toEqual([]);
    expect(describeResults(decoder.push(Uint8Array.of(66)))).toEqual(['AB']);
  });

  it('keeps its own copy of a chunk that the radio reuses', () => {
    const decoder = new FrameDecoder();
    const chunk = Uint8Array.of(0, 2, 65);
    decoder.push(chunk);
    chunk.fill(0);
    expect(describeResults(decoder.push(Uint8Array.of(66)))).toEqual(['AB']);
  });

  it.each([1, 2, 3, 4, 5])('BLE-07 finds every message among nonsense frames, seed %i', (seed) => {
    const random = seededRandom(seed);
    const expected: string[] = [];
    const pieces = Array.from({ length: 60 }, (_, at) => {
      const kind = random.below(4);
      if (kind === 0) {
        expected.push('FRAME_EMPTY');
        return Uint8Array.of(0, 0);
      }
      if (kind === 1) {
        expected.push('FRAME_TOO_LARGE');
        const size = MAX_MESSAGE_BYTES + 1 + random.below(60_000);
        return join([Uint8Array.of(size >> 8, size & 255), random.bytes(size)]);
      }
      expected.push(`message ${at}`);
      return frame(`message ${at}`);
    });
    const stream = join(pieces);
    const decoder = new FrameDecoder();
    const found: string[] = [];
    for (let at = 0; at < stream.length; ) {
      const size = 1 + random.below(600);
      found.push(...describeResults(decoder.push(stream.slice(at, at + size))));
      at += size;
    }
    expect(found).toEqual(expected);
  });
});
