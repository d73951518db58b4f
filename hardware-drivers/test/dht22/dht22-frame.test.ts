import { describe, expect, it } from 'vitest';
import { decodeDht22Frame, encodeDht22Frame } from '../../src/dht22/dht22-frame.ts';

const frame = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'));

describe('a frame of a DHT22', () => {
  it.each([
    // The datasheet's own two examples.
    ['028c015fee', 65.2, 35.1],
    ['028c806573', 65.2, -10.1],
    ['03e8800570', 100, -0.5],
    // Two's complement, as some clones send it.
    ['0258ffff58', 60, -0.1],
  ])('%s decodes to %d %% and %d °C', (hex, humidityPercent, temperatureCelsius) => {
    expect(decodeDht22Frame(frame(hex))).toEqual({ humidityPercent, temperatureCelsius });
  });

  it('is refused with any one bit flipped', () => {
    for (let bit = 0; bit < 40; bit += 1) {
      const bytes = frame('028c015fee');
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeDht22Frame(bytes), `bit ${bit}`).toThrow(/checksum/);
    }
  });

  it('of zeros, or cut short, is no answer', () => {
    expect(() => decodeDht22Frame(frame('0000000000'))).toThrow(
      expect.objectContaining({ code: 'NO_ANSWER' }),
    );
    expect(() => decodeDht22Frame(frame('028c01'))).toThrow(expect.objectContaining({ code: 'NO_ANSWER' }));
  });

  it('survives encoding, over the whole range', () => {
    for (let tenths = -400; tenths <= 800; tenths += 7) {
      const values = { temperatureCelsius: tenths / 10, humidityPercent: ((tenths + 400) % 1000) / 10 };
      expect(decodeDht22Frame(encodeDht22Frame(values))).toEqual(values);
    }
  });
});
