import { mkdirSync, readFileSync, symlinkSync, watch, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createSysfsPwm } from '../../src/pwm/sysfs-pwm.ts';
import { systemDriverClock } from '../../src/system-clock.ts';
import { createTestClock, describePwmChip } from '../../src/testing/index.ts';

/** A folder like /sys/class/pwm with chips of these devices, whose channels appear when they are exported. */
async function makeSysfs(
  chips: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly root: string }> {
  const root = await mkdtemp(join(tmpdir(), 'ares-pwm-'));
  const pwm = join(root, 'class/pwm');
  mkdirSync(pwm, { recursive: true });
  const watchers = Object.entries(chips).map(([name, device]) => {
    const chip = join(pwm, name);
    mkdirSync(chip);
    mkdirSync(join(root, 'devices', device), { recursive: true });
    symlinkSync(join(root, 'devices', device), join(chip, 'device'));
    writeFileSync(join(chip, 'export'), '');
    return watch(join(chip, 'export'), () => exportIn(chip));
  });
  return {
    root: pwm,
    [Symbol.asyncDispose]: async () => {
      for (const watcher of watchers) watcher.close();
      await rm(root, { recursive: true });
    },
  };
}

function exportIn(chip: string): void {
  const channel = readFileSync(join(chip, 'export'), 'latin1').trim();
  if (channel === '') return;
  const folder = join(chip, `pwm${channel}`);
  mkdirSync(folder, { recursive: true });
  for (const name of ['period', 'duty_cycle']) writeFileSync(join(folder, name), '0\n', { flag: 'a' });
  writeFileSync(join(folder, 'enable'), '0\n', { flag: 'a' });
}

describePwmChip({ describe, it, expect }, 'on a stand-in of sysfs', async () => {
  const sysfs = await makeSysfs({ pwmchip0: 'fan', pwmchip7: '3f20c000.pwm' });
  const channels: Record<number, number> = { 13: 1, 18: 0 };
  const value = (bcm: number, name: string) =>
    Number.parseInt(readFileSync(join(sysfs.root, `pwmchip7/pwm${channels[bcm]}`, name), 'latin1'), 10);
  return {
    chip: createSysfsPwm({ clock: systemDriverClock, root: sysfs.root }),
    nextLife: () => createSysfsPwm({ clock: systemDriverClock, root: sysfs.root }),
    share: async (bcm) => (value(bcm, 'enable') === 1 ? value(bcm, 'duty_cycle') / value(bcm, 'period') : 0),
    periodNs: async (bcm) => value(bcm, 'period'),
    writeGuard: async (path, text) => writeFileSync(path, text),
    [Symbol.asyncDispose]: () => sysfs[Symbol.asyncDispose](),
  };
});

describe('the generator of a line', () => {
  it.each([
    ['fe20c000.pwm', 12, 0],
    ['fe20c000.pwm', 18, 0],
    ['2020c000.pwm', 19, 1],
    ['1f00098000.pwm', 18, 2],
    ['1f00098000.pwm', 19, 3],
  ])('of %s is found by its device: BCM %i has channel %i', async (device, bcm, channel) => {
    await using sysfs = await makeSysfs({ pwmchip0: '1f0009c000.pwm', pwmchip2: device });
    const chip = createSysfsPwm({ clock: createTestClock(), root: sysfs.root });
    expect(chip.safeOutput(bcm)).toEqual({
      bcm,
      path: join(sysfs.root, `pwmchip2/pwm${channel}/enable`),
      safeValue: '0',
    });
  });

  it('serves one line at a time where two share a channel', async () => {
    await using sysfs = await makeSysfs({ pwmchip0: '3f20c000.pwm' });
    const chip = createSysfsPwm({ clock: systemDriverClock, root: sysfs.root });
    const line = await chip.open(12, { frequencyHz: 100 });
    await expect(chip.open(18, { frequencyHz: 100 })).rejects.toMatchObject({ code: 'PIN_BUSY' });
    await line.close();
    await chip.open(18, { frequencyHz: 100 });
  });

  it('is missing with what to do about it', async () => {
    await using sysfs = await makeSysfs({ pwmchip0: '1f0009c000.pwm' });
    const chip = createSysfsPwm({ clock: createTestClock(), root: sysfs.root });
    await expect(chip.open(18, { frequencyHz: 100 })).rejects.toThrow(/dtoverlay=pwm,pin=18,func=2/);
    const none = createSysfsPwm({ clock: createTestClock(), root: '/nonexistent' });
    expect(() => none.safeOutput(18)).toThrow(/no pulse generator/);
  });

  it('is given up, and may be tried again, when udev does not hand it over', async () => {
    await using sysfs = await makeSysfs({ pwmchip0: '3f20c000.pwm' });
    const chip = createSysfsPwm({ clock: createTestClock({ autoAdvance: true }), root: sysfs.root });
    mkdirSync(join(sysfs.root, 'pwmchip0/pwm0/enable'), { recursive: true });
    await expect(chip.open(18, { frequencyHz: 100 })).rejects.toMatchObject({ code: 'IO_FAILED' });
    await expect(chip.open(18, { frequencyHz: 100 })).rejects.toMatchObject({ code: 'IO_FAILED' });
  });
});
