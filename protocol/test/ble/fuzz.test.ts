import { describe, expect, it } from 'vitest';
import { decodeInfo, parseLabel, parseRequest, parseResponse, parseSetupCode } from '../../src/ble/index.ts';
import { FakeDevice, RawPhone, SETUP_CODE, seededRandom, settle, utf8 } from './support.ts';

const seeds = Array.from({ length: 20 }, (_, at) => at + 1);

/** Random text that keeps close to real requests, because pure noise ends at the first character. */
function almostRequest(random: ReturnType<typeof seededRandom>): Uint8Array {
  const pieces = [
    '{',
    '}',
    '"v":1',
    '"id":7',
    '"type":"provision"',
    '"type":"status"',
    ',',
    '[',
    ']',
    ':',
    'null',
  ];
  pieces.push(
    '"wifi":{"ssid":"a"}',
    '1e999',
    '"\\ud800"',
    '"__proto__":{}',
    '"phoneTime":-1',
    ' ',
    '"nonce":"x"',
  );
  return utf8(Array.from({ length: random.below(30) }, () => pieces[random.below(pieces.length)]).join(''));
}

describe('whatever bytes come', () => {
  it.each(seeds)('a device before its first message neither crashes nor obeys, seed %i', async (seed) => {
    const random = seededRandom(seed);
    const device = new FakeDevice({ seed });
    for (let round = 0; round < 50; round += 1) device.session.receive(random.bytes(random.below(60)));
    await settle();
    expect(device.handled).toEqual([]);
    expect(device.confirmations).toBe(0);
  });

  it.each(seeds)('a device answers each authentic nonsense and lives on, seed %i', async (seed) => {
    const random = seededRandom(seed);
    const device = new FakeDevice({ seed });
    const phone = new RawPhone(device);
    await phone.shakeHands();
    for (let round = 0; round < 20; round += 1) {
      const bytes = random.below(2) ? random.bytes(random.below(100)) : almostRequest(random);
      expect(await phone.ask(bytes)).toHaveLength(1);
    }
    expect(await phone.ask({ v: 1, id: 1, type: 'status' })).toMatchObject([{ id: 1, type: 'status' }]);
  });

  it.each(seeds)('the readers throw nothing but their own errors, seed %i', (seed) => {
    const random = seededRandom(seed);
    for (let round = 0; round < 100; round += 1) {
      const bytes = random.below(2) ? random.bytes(random.below(200)) : almostRequest(random);
      expect(typeof parseRequest(bytes).ok).toBe('boolean');
      const text = Buffer.from(bytes).toString('latin1');
      for (const read of [
        () => parseResponse(bytes),
        () => decodeInfo(bytes),
        () => parseSetupCode(text),
        () => parseLabel(text),
      ]) {
        try {
          read();
        } catch (error) {
          expect((error as Error).name).toBe('BleError');
        }
      }
    }
  });

  it('a wrong code that differs by one bit is as wrong as any', async () => {
    for (let bit = 0; bit < 128; bit += 7) {
      const setupCode = SETUP_CODE.slice();
      setupCode[bit >> 3] = (setupCode[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const device = new FakeDevice();
      await new RawPhone(device).shakeHands({ setupCode });
      expect(device.closed).toEqual(['SETUP_CODE_REFUSED']);
    }
  });
});
