import { describe, expect, it } from 'vitest';
import { parseAcknowledgement } from '../src/messages/acknowledgement.ts';
import { parseCommandStatus } from '../src/messages/command-status.ts';
import { parseConnectionMessage } from '../src/messages/connection.ts';
import { parseReading, parseTelemetryEnvelope } from '../src/messages/telemetry.ts';
import {
  MAX_SIGNED_MESSAGE_BYTES,
  type OpenProblem,
  openSignedMessage,
  signMessage,
} from '../src/signed-message.ts';
import { fixture, macOf } from './fixtures.ts';

type Kind = 'telemetry' | 'acknowledgement' | 'connection' | 'commandStatus';
interface Valid {
  keyHex: string;
  cases: { name: string; kind: Kind; topic: string; message: string }[];
}
interface Invalid {
  keyHex: string;
  cases: { name: string; topic: string; message: string; problem: OpenProblem }[];
}

const bytes = (text: string) => new TextEncoder().encode(text);
const valid = fixture<Valid>('signed-messages/valid.json');
const invalid = fixture<Invalid>('signed-messages/invalid.json');
const mac = macOf(valid.keyHex);
const parsers = {
  telemetry: parseTelemetryEnvelope,
  acknowledgement: parseAcknowledgement,
  connection: parseConnectionMessage,
  commandStatus: parseCommandStatus,
};

describe('signed messages of the fixtures', () => {
  it.each(valid.cases)(
    '$name is opened, admissible, and signed again to the same bytes',
    ({ kind, topic, message }) => {
      const opened = openSignedMessage(topic, bytes(message), [mac]);
      if (!opened.ok) throw new Error(opened.problem);
      expect(parsers[kind](opened.value)).toMatchObject({ ok: true });
      expect(new TextDecoder().decode(signMessage(topic, opened.value as object, mac))).toBe(message);
    },
  );

  it.each(invalid.cases)('TEL-02 $name: refused as $problem', ({ topic, message, problem }) => {
    expect(openSignedMessage(topic, bytes(message), [mac])).toEqual({ ok: false, problem });
  });
});

describe('a signed message', () => {
  const { topic, message } = valid.cases[0]!;

  it('TEL-01 is refused when any single bit of it is flipped', () => {
    const payload = bytes(message);
    for (let i = 0; i < payload.length * 8; i++) {
      const flipped = payload.slice();
      flipped[i >> 3]! ^= 1 << (i & 7);
      expect(openSignedMessage(topic, flipped, [mac]).ok, `bit ${i}`).toBe(false);
    }
  });

  it('TEL-01 is refused when any single bit of its topic is flipped', () => {
    for (let i = 0; i < topic.length * 7; i++) {
      const at = Math.floor(i / 7);
      const flipped =
        topic.slice(0, at) + String.fromCharCode(topic.charCodeAt(at) ^ (1 << (i % 7))) + topic.slice(at + 1);
      expect(openSignedMessage(flipped, bytes(message), [mac]).ok, flipped).toBe(false);
    }
  });

  it('TEL-01 is refused when it is cut short or continued', () => {
    const payload = bytes(message);
    for (let length = 0; length < payload.length; length++) {
      expect(openSignedMessage(topic, payload.subarray(0, length), [mac]).ok).toBe(false);
    }
    expect(openSignedMessage(topic, bytes(`${message} `), [mac]).ok).toBe(false);
  });

  it('is opened by the old secret too during a rotation, and tells which one fitted', () => {
    expect(openSignedMessage(topic, bytes(message), [macOf('ff'.repeat(32)), mac])).toMatchObject({
      ok: true,
      key: 1,
    });
    expect(openSignedMessage(topic, bytes(message), [])).toEqual({ ok: false, problem: 'MAC_MISMATCH' });
  });

  it('is refused before any MAC is computed when it is too large', () => {
    const never = () => {
      throw new Error('computed a MAC');
    };
    const payload = new Uint8Array(MAX_SIGNED_MESSAGE_BYTES + 1);
    expect(openSignedMessage(topic, payload, [never])).toEqual({ ok: false, problem: 'TOO_LARGE' });
  });

  it('cannot be made of a body that would hide the MAC', () => {
    expect(() => signMessage(topic, { mac: 'x' }, mac)).toThrow(TypeError);
    expect(() => signMessage(topic, {}, mac)).toThrow(TypeError);
  });
});

describe('authentic but inadmissible bodies', () => {
  const bodies = fixture<Record<'envelope' | 'readings', { name: string; path: string; body: unknown }[]>>(
    'signed-messages/invalid-bodies.json',
  );
  const expectIssue = (
    parsed: ReturnType<typeof parseReading> | ReturnType<typeof parseTelemetryEnvelope>,
    path: string,
  ) => {
    if (parsed.ok) throw new Error('was accepted');
    expect(parsed.issues[0]?.path).toBe(path);
    expect(parsed.issues[0]?.message).not.toMatch(/^(Invalid input|is not valid)$/);
  };

  it.each(bodies.envelope)('a message with $name is refused and the mistake is named', ({ path, body }) => {
    expectIssue(parseTelemetryEnvelope(body), path);
  });

  it.each(bodies.readings)(
    'TEL-09 a reading with $name is refused and the mistake is named',
    ({ path, body }) => {
      expectIssue(parseReading(body), path);
    },
  );

  it.each([Number.NaN, Number.POSITIVE_INFINITY, '1e309', 2 ** 63])(
    'TEL-09 a seq of %s is refused',
    (seq) => {
      expect(parseReading({ seq, componentId: 1, metric: 'load', value: 1, measuredAt: 1 }).ok).toBe(false);
    },
  );

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'TEL-09 a value of %s is refused',
    (value) => {
      expect(parseReading({ seq: 1, componentId: 1, metric: 'load', value, measuredAt: 1 }).ok).toBe(false);
    },
  );
});
