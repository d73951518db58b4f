import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createProcCpuSampler } from '../../src/cpu/proc-cpu-sampler.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ares-proc-'));
});
afterEach(() => rm(root, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
/** Ticks as /proc/stat has them: user nice system idle iowait irq softirq steal guest guest_nice. */
const stat = (...cores: [busy: number, idle: number, iowait: number][]) =>
  put(
    'proc/stat',
    [
      'cpu  1 1 1 1 1 0 0 0 0 0',
      ...cores.map(([busy, idle, io], n) => `cpu${n} ${busy} 0 0 ${idle} ${io} 0 0 0 9 9`),
      'intr 1',
    ].join('\n'),
  );

describe('sampling /proc and /sys', () => {
  it('gives the load since the sample before, at first since boot, as mean and busiest core', async () => {
    const sampler = createProcCpuSampler({ root });
    stat([50, 50, 0], [0, 50, 50]);
    expect(await sampler.sample()).toMatchObject({ averageLoadPercent: 25, peakLoadPercent: 50 });
    stat([140, 60, 0], [20, 90, 90]);
    expect(await sampler.sample()).toMatchObject({ averageLoadPercent: 55, peakLoadPercent: 90 });
  });

  it('repeats the loads when asked twice within an instant', async () => {
    const sampler = createProcCpuSampler({ root });
    stat([50, 50, 0]);
    const first = await sampler.sample();
    expect(await sampler.sample()).toEqual(first);
  });

  it('reads memory in use, and the temperature of the processor among the zones', async () => {
    stat([1, 1, 1]);
    put('proc/meminfo', 'MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  750 kB\n');
    put('sys/class/thermal/thermal_zone0/type', 'battery\n');
    put('sys/class/thermal/thermal_zone0/temp', '20000\n');
    put('sys/class/thermal/thermal_zone1/type', 'cpu-thermal\n');
    put('sys/class/thermal/thermal_zone1/temp', '48312\n');
    expect(await createProcCpuSampler({ root }).sample()).toMatchObject({
      memoryUsedPercent: 25,
      temperatureCelsius: 48.312,
    });
  });

  it('has no temperature and no memory where there is none, and says so when there is no /proc', async () => {
    stat([1, 1, 1]);
    expect(await createProcCpuSampler({ root }).sample()).toMatchObject({
      temperatureCelsius: null,
      memoryUsedPercent: null,
    });
    await expect(createProcCpuSampler({ root: '/nonexistent' }).sample()).rejects.toMatchObject({
      code: 'NO_ANSWER',
    });
  });

  it.each([
    ['sys/devices/platform/soc/soc:firmware'],
    ['sys/devices/platform/soc@107c000000/soc@107c000000:firmware'],
  ])('reads the flags of the firmware in %s', async (folder) => {
    const sampler = createProcCpuSampler({ root });
    stat([1, 1, 1]);
    const flags = async (hex: string) => {
      put(`${folder}/get_throttled`, `${hex}\n`);
      const { undervoltage, throttled } = await sampler.sample();
      return [undervoltage, throttled];
    };
    expect(await flags('0')).toEqual([false, false]);
    expect(await flags('50005'), 'now').toEqual([true, true]);
    expect(await flags('50000'), 'over, and told before').toEqual([false, false]);
    expect(await flags('50008'), 'hot').toEqual([false, true]);
  });

  it('tells once of a moment of undervoltage between two samples, and of one since boot', async () => {
    const file = 'sys/devices/platform/soc/soc:firmware/get_throttled';
    stat([1, 1, 1]);
    const sampler = createProcCpuSampler({ root });
    put(file, '0\n');
    await sampler.sample();
    put(file, '10000\n');
    expect(await sampler.sample()).toMatchObject({ undervoltage: true, throttled: false });
    expect(await sampler.sample()).toMatchObject({ undervoltage: false, throttled: false });
    expect(await createProcCpuSampler({ root }).sample()).toMatchObject({ undervoltage: true });
  });

  it('takes the alarm of another kernel, and null where nobody knows or the flags are no number', async () => {
    stat([1, 1, 1]);
    const sample = () => createProcCpuSampler({ root }).sample();
    expect(await sample()).toMatchObject({ undervoltage: null, throttled: null });
    put('sys/class/hwmon/hwmon0/name', 'cpu_thermal\n');
    put('sys/class/hwmon/hwmon0/in0_lcrit_alarm', '1\n');
    expect(await sample()).toMatchObject({ undervoltage: null });
    put('sys/class/hwmon/hwmon1/name', 'rpi_volt\n');
    put('sys/class/hwmon/hwmon1/in0_lcrit_alarm', '1\n');
    put('sys/devices/platform/soc/soc:firmware/get_throttled', 'none\n');
    expect(await sample()).toMatchObject({ undervoltage: true, throttled: null });
  });

  it('works on this machine', async () => {
    const { averageLoadPercent, peakLoadPercent } = await createProcCpuSampler().sample();
    expect(averageLoadPercent).toBeGreaterThanOrEqual(0);
    expect(peakLoadPercent).toBeGreaterThanOrEqual(averageLoadPercent);
  });
});
