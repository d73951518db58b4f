import { createProcCpuSampler } from './cpu/proc-cpu-sampler.ts';
import { DriverError } from './errors.ts';
import { type GpioChip, GpioError } from './gpio/gpio-line.ts';
import { openOnoffGpio } from './gpio/onoff-gpio.ts';
import type { Hardware } from './hardware.ts';

/**
 * The hardware of the Raspberry Pi that this process runs on. What the board has not, or has no adapter for, refuses
 * each use with its reason, so that the components on it show an error and all others work.
 *
 * @param options.openGpio for tests
 */
export async function openPiHardware(
  options: { openGpio?: () => Promise<GpioChip> } = {},
): Promise<Hardware> {
  return {
    name: 'Raspberry Pi',
    gpio: await (options.openGpio ?? openOnoffGpio)().catch(absentChip),
    dht22Bus: { query: async () => missing('DHT22 bus') },
    adc: { readRatio: async () => missing('analogue-digital converter') },
    cpu: createProcCpuSampler(),
  };
}

/** A chip that could not be opened. @throws what it was, if it is no failure of the board */
function absentChip(reason: unknown): GpioChip {
  if (!(reason instanceof GpioError)) throw reason;
  return {
    openOutput: async () => {
      throw reason;
    },
    openInput: async () => {
      throw reason;
    },
    safeOutput: () => {
      throw reason;
    },
  };
}

function missing(what: string): never {
  throw new DriverError('HARDWARE_MISSING', `no adapter for the ${what} on this board`);
}
