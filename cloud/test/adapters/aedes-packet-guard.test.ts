import mqttPacket from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { createPacketGuard } from '../../src/adapters/aedes-packet-guard.ts';

const publish = (bytes: number) =>
  mqttPacket.generate({
    cmd: 'publish',
    topic: 't',
    payload: Buffer.alloc(bytes),
    qos: 0,
    dup: false,
    retain: false,
  });
const ping = mqttPacket.generate({ cmd: 'pingreq' });

describe('the guard of packet lengths', () => {
  it('lets packets up to the limit pass, however they are cut', () => {
    const stream = Buffer.concat([ping, publish(0), publish(100), ping, publish(300), publish(997)]);
    for (const step of [1, 2, 3, 7, 64, stream.length]) {
      const guard = createPacketGuard(() => 1_000);
      for (let at = 0; at < stream.length; at += step)
        expect(guard(stream.subarray(at, at + step))).toBe(true);
    }
  });

  it('refuses a longer one as soon as its length is known, before its body', () => {
    const long = publish(998);
    for (let cut = 1; cut <= 3; cut++) {
      const guard = createPacketGuard(() => 1_000);
      const verdicts = [
        guard(Buffer.concat([ping, long.subarray(0, cut)])),
        guard(long.subarray(cut, cut + 3)),
      ];
      expect(verdicts.includes(false)).toBe(true);
    }
  });

  it('refuses a length of more than four bytes', () => {
    const guard = createPacketGuard(() => Number.MAX_SAFE_INTEGER);
    expect(guard(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff, 0x01))).toBe(false);
  });

  it('asks for the limit anew, as a peer that was let in may send more', () => {
    let limit = 10;
    const guard = createPacketGuard(() => limit);
    expect(guard(publish(5))).toBe(true);
    limit = 1_000;
    expect(guard(publish(500))).toBe(true);
  });
});
