import { describe, expect, it } from 'vitest';
import { createDriverRegistry, GpioError, openPiHardware, systemDriverClock } from '../src/index.ts';
import { silentLogger } from '../src/testing/index.ts';

const noGpio = async () => {
  throw new GpioError('GPIO_UNAVAILABLE', 'this kernel has no GPIO sysfs');
};
const ports = { clock: systemDriverClock, logger: silentLogger };

/** Starts a component of this type on a board without GPIO and reads it. */
async function readOn(type: string, pins: Record<string, number>) {
  const driver = await createDriverRegistry().load(type);
  const hardware = await openPiHardware({ openGpio: noGpio });
  const config = type === 'dht22' ? { attempts: 1 } : {};
  const part = driver.create({ ...driver.parseWiring({ pins, config }), hardware, ...ports });
  try {
    await part.start();
    return await part.read();
  } finally {
    await part.stop();
  }
}

describe('a board without GPIO', () => {
  it('still reads the parts that need none', async () => {
    expect((await readOn('cpu', {})).length).toBeGreaterThanOrEqual(2);
  });

  it('says of each other part why it does not work', async () => {
    await expect(readOn('pump', { line: 17 })).rejects.toMatchObject({ code: 'GPIO_UNAVAILABLE' });
    await expect(readOn('dht22', { data: 4 })).rejects.toMatchObject({ code: 'HARDWARE_MISSING' });
    await expect(readOn('soil-moisture', {})).rejects.toMatchObject({ code: 'HARDWARE_MISSING' });
  });

  it('has no safe level to tell a guard, instead of a wrong one', async () => {
    const hardware = await openPiHardware({ openGpio: noGpio });
    expect(() => hardware.gpio.safeOutput(17)).toThrow(/no GPIO sysfs/);
  });

  it('does not hide a fault of the program', async () => {
    const fault = async () => Promise.reject(new TypeError('bug'));
    await expect(openPiHardware({ openGpio: fault })).rejects.toThrow('bug');
  });
});
