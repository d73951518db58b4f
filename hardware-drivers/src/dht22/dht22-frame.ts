import { DriverError } from '../errors.ts';
import type { Dht22Answer } from '../hardware.ts';

/** What one frame says. */
export interface Dht22Values {
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
}

/**
 * Decodes the 40 bits that a DHT22 sends: humidity × 10 (16 bits), temperature × 10 (16 bits, the top bit is the
 * sign of a magnitude; some clones send two's complement, told apart because no magnitude reaches bit 14), and the
 * low byte of the sum of the four bytes before.
 *
 * @throws {DriverError} CHECKSUM; NO_ANSWER for a frame of zeros, which is what a line stuck at low reads as
 */
export function decodeDht22Frame(bytes: Uint8Array): Dht22Values {
  if (bytes.length !== 5) throw new DriverError('NO_ANSWER', `the frame has ${bytes.length * 8} of 40 bits`);
  const [humidityHigh, humidityLow, temperatureHigh, temperatureLow, sum] = bytes as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  const expected = (humidityHigh + humidityLow + temperatureHigh + temperatureLow) & 0xff;
  if (sum !== expected)
    throw new DriverError('CHECKSUM', `the checksum is ${sum}, the bytes add up to ${expected}`, {
      details: { sum, expected },
    });
  if (bytes.every((byte) => byte === 0)) throw stuckLow();
  const raw = (temperatureHigh << 8) | temperatureLow;
  return {
    temperatureCelsius: signed(raw) / 10,
    humidityPercent: ((humidityHigh << 8) | humidityLow) / 10,
  };
}

/**
 * The values of an answer, whoever decoded it. Zero degrees at zero percent is a frame of zeros that a library or
 * the kernel let pass, as its checksum fits.
 *
 * @throws {DriverError} CHECKSUM, NO_ANSWER
 */
export function valuesOf(answer: Dht22Answer): Dht22Values {
  if (answer.kind === 'frame') return decodeDht22Frame(answer.bytes);
  if (answer.temperatureCelsius === 0 && answer.humidityPercent === 0) throw stuckLow();
  return answer;
}

/** The inverse, as a sensor sends it; the simulated board and tests use it. Values are rounded to tenths. */
export function encodeDht22Frame({ temperatureCelsius, humidityPercent }: Dht22Values): Uint8Array {
  const humidity = Math.round(humidityPercent * 10);
  const temperature = Math.round(Math.abs(temperatureCelsius) * 10) | (temperatureCelsius < 0 ? 0x8000 : 0);
  const body = [humidity >> 8, humidity & 0xff, temperature >> 8, temperature & 0xff];
  return Uint8Array.from([...body, body.reduce((sum, byte) => sum + byte, 0) & 0xff]);
}

function signed(raw: number): number {
  if ((raw & 0x8000) === 0) return raw;
  return (raw & 0x4000) === 0 ? -(raw & 0x7fff) : raw - 0x1_0000;
}

function stuckLow(): DriverError {
  return new DriverError('NO_ANSWER', 'the line stays low: no sensor, or a short');
}
