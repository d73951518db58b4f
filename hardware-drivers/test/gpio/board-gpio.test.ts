import { describe, expect, it } from 'vitest';
import { openBoardGpio } from '../../src/gpio/board-gpio.ts';
import { GpioError } from '../../src/index.ts';
import { createFakeGpio } from '../../src/testing/index.ts';

const chip = createFakeGpio();
const there = async () => chip;
const absent = (message: string) => async () => {
  throw new GpioError('GPIO_UNAVAILABLE', message);
};
const open = (
  choice: 'auto' | 'chardev' | 'sysfs',
  adapters: { chardev: typeof there; sysfs: typeof there },
) => openBoardGpio({ choice, runtimeDir: '/nonexistent', adapters });

describe('the lines of a real board', () => {
  it('are driven by the character device where there is one', async () => {
    const sysfs = absent('must not be asked');
    expect(await open('auto', { chardev: there, sysfs })).toBe(chip);
  });

  it('are driven by sysfs where there are no tools for the character device', async () => {
    expect(await open('auto', { chardev: absent('no tools'), sysfs: there })).toBe(chip);
  });

  it('are refused with both reasons where there is neither', async () => {
    const opened = open('auto', { chardev: absent('no tools'), sysfs: absent('no sysfs') });
    await expect(opened).rejects.toMatchObject({ code: 'GPIO_UNAVAILABLE' });
    await expect(opened).rejects.toThrow(/no tools.*no sysfs/);
  });

  it('are driven by nothing else than the adapter that a setting names', async () => {
    const absentOne = absent('not this one');
    await expect(open('chardev', { chardev: absentOne, sysfs: there })).rejects.toThrow('not this one');
    await expect(open('sysfs', { chardev: there, sysfs: absentOne })).rejects.toThrow('not this one');
  });

  it('are not hidden behind the other adapter by a fault of the program', async () => {
    const fault = async () => Promise.reject(new TypeError('bug'));
    await expect(open('auto', { chardev: fault, sysfs: there })).rejects.toThrow('bug');
  });
});
