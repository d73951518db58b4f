import { createProcCpuSampler } from './cpu/proc-cpu-sampler.ts';
import { DriverError } from './errors.ts';
import { openOnoffGpio } from './gpio/onoff-gpio.ts';
import type { Hardware } from './hardware.ts';

/**
 * The hardware of the Raspberry Pi that this process runs on. Buses without an adapter refuse each use with
 * HARDWARE_MISSING, so that their component shows an error and all others work.
 *
 * @throws {GpioError} GPIO_UNAVAILABLE, CHIP_NOT_FOUND
 */
export async function openPiHardware(): Promise<Hardware> {
  return {
    name: 'Raspberry Pi',
    gpio: await openOnoffGpio(),
    dht22Bus: { query: async () => missing('DHT22 bus') },
    adc: { readRatio: async () => missing('analogue-digital converter') },
    cpu: createProcCpuSampler(),
  };
}

function missing(what: string): never {
  throw new DriverError('HARDWARE_MISSING', `no adapter for the ${what} on this board`);
}
