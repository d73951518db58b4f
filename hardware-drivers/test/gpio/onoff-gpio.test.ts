import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openOnoffGpio } from '../../src/gpio/onoff-gpio.ts';
import type { LineLevel } from '../../src/index.ts';
import { describeGpioChip } from '../../src/testing/index.ts';
import { makeSysfs, onoffOn } from '../support/sysfs-stand-in.ts';

const other = { label: 'brcmvirt-gpio', base: 504 };

describeGpioChip({ describe, it, expect }, 'onoff on a stand-in of sysfs', async () => {
  const root = await makeSysfs([other, { label: 'pinctrl-bcm2711', base: 512 }]);
  const value = (bcm: number) => join(root, `gpio${512 + bcm}`, 'value');
  return {
    chip: await openOnoffGpio({ root, load: async () => onoffOn(root, { first: 512, count: 54 }) }),
    level: async (bcm) => (await readFile(value(bcm), 'latin1'))[0] as LineLevel,
    drive: async (bcm, level) => {
      mkdirSync(join(root, `gpio${512 + bcm}`), { recursive: true });
      writeFileSync(value(bcm), level);
    },
    writeGuard: async (path, text) => writeFileSync(path, text),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
});

describe('finding the chip of the header', () => {
  it.each([
    ['pinctrl-rp1', 571],
    ['pinctrl-bcm2711', 512],
    ['pinctrl-bcm2835', 0],
    ['pinctrl-bcm2835', 970],
  ])('adds the base of %s, wherever it is (%i)', async (label, base) => {
    const root = await makeSysfs([other, { label, base }]);
    const chip = await openOnoffGpio({ root, load: async () => onoffOn(root, { first: base, count: 54 }) });
    await chip.openOutput(17);
    expect(existsSync(join(root, `gpio${base + 17}`, 'value'))).toBe(true);
    expect(chip.safeOutput(17).path).toBe(join(root, `gpio${base + 17}`, 'value'));
    await rm(root, { recursive: true });
  });

  it('says what it found when there is no Raspberry Pi header', async () => {
    const root = await makeSysfs([{ label: 'INT34C5:00', base: 512 }]);
    await expect(openOnoffGpio({ root })).rejects.toThrow(/found: INT34C5:00/);
    await rm(root, { recursive: true });
  });
});

describe('an output', () => {
  it('ends at the level that was ordered last, however slow a write before it is', async () => {
    const root = await makeSysfs([{ label: 'pinctrl-bcm2711', base: 512 }]);
    const { Gpio } = onoffOn(root, { first: 512, count: 54 });
    class SlowlyOn extends Gpio {
      override async write(value: 0 | 1): Promise<void> {
        if (value === 1) await new Promise((resolve) => setTimeout(resolve, 20));
        await super.write(value);
      }
    }
    const chip = await openOnoffGpio({ root, load: async () => ({ Gpio: SlowlyOn }) });
    const line = await chip.openOutput(17);
    await Promise.all([line.write(true), line.write(false)]);
    expect(await line.read()).toBe(false);
    await Promise.all([line.write(true), line.close()]);
    expect((await readFile(chip.safeOutput(17).path, 'latin1'))[0]).toBe('0');
    await rm(root, { recursive: true });
  });
});

describe('where onoff cannot work', () => {
  it('reports that sysfs is missing instead of failing on import', async () => {
    await expect(openOnoffGpio({ root: '/nonexistent' })).rejects.toMatchObject({
      name: 'GpioError',
      code: 'GPIO_UNAVAILABLE',
    });
  });

  it('reports that its addon is missing, with what to do', async () => {
    const root = await makeSysfs([{ label: 'pinctrl-bcm2711', base: 512 }]);
    const loaded = openOnoffGpio({ root }).then(
      () => 'loaded',
      (error: { code: string; message: string }) => `${error.code} ${error.message}`,
    );
    // Where the addon was built, loading works and there is nothing to report.
    expect(await loaded).toMatch(/^loaded$|^GPIO_UNAVAILABLE .*npm rebuild epoll/);
    await rm(root, { recursive: true });
  });
});
