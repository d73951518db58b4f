import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DriverError } from '../errors.ts';
import type { CpuSample, CpuSampler } from '../hardware.ts';
import { createSupplyReader } from './supply.ts';

/** Ticks of one core since boot. */
interface CoreTicks {
  readonly busy: number;
  readonly total: number;
}

/** Fewer ticks (10 ms each) than this since the last sample say nothing about load. */
const fewestTicks = 5;

/**
 * Samples /proc/stat, /proc/meminfo, the thermal zones and the firmware's flags. Loads are those since the previous call, at first since
 * boot; calls within 50 ms of each other get the same loads.
 *
 * @param root where /proc and /sys are, for tests
 */
export function createProcCpuSampler(options: { root?: string } = {}): CpuSampler {
  const root = options.root ?? '/';
  let before: readonly CoreTicks[] = [];
  const supply = createSupplyReader(root);
  let loads: { average: number; peak: number } | undefined;
  return {
    sample: async (): Promise<CpuSample> => {
      const now = await readCores(root);
      const deltas = now.map(({ busy, total }, core) => ({
        busy: busy - (before[core]?.busy ?? 0),
        total: total - (before[core]?.total ?? 0),
      }));
      const total = sum(deltas.map((delta) => delta.total));
      if (loads === undefined || total >= fewestTicks) {
        loads = {
          average: percent(sum(deltas.map((delta) => delta.busy)), total),
          peak: Math.max(...deltas.map((delta) => percent(delta.busy, delta.total))),
        };
        before = now;
      }
      return {
        averageLoadPercent: loads.average,
        peakLoadPercent: loads.peak,
        temperatureCelsius: await readTemperature(root),
        memoryUsedPercent: await readMemory(root),
        ...(await supply()),
      };
    },
  };
}

async function readCores(root: string): Promise<CoreTicks[]> {
  const text = await readFile(join(root, 'proc/stat'), 'utf8').catch((cause: unknown) => {
    throw new DriverError('NO_ANSWER', '/proc/stat cannot be read: CPU load needs Linux', { cause });
  });
  const cores = [...text.matchAll(/^cpu\d+ (.+)$/gm)].map(([, numbers]) => {
    // user nice system idle iowait irq softirq steal; guest times are inside user already.
    const ticks = numbers!.split(' ').slice(0, 8).map(Number);
    const total = sum(ticks);
    return { busy: total - (ticks[3] ?? 0) - (ticks[4] ?? 0), total };
  });
  if (cores.length === 0) throw new DriverError('NO_ANSWER', '/proc/stat names no core');
  return cores;
}

async function readMemory(root: string): Promise<number | null> {
  const text = await readFile(join(root, 'proc/meminfo'), 'utf8').catch(() => '');
  const total = Number(/^MemTotal:\s+(\d+)/m.exec(text)?.[1]);
  const available = Number(/^MemAvailable:\s+(\d+)/m.exec(text)?.[1]);
  return total > 0 && available >= 0 ? percent(total - available, total) : null;
}

/** The zone of the processor (`cpu-thermal` on a Pi), else the first that answers; null on a board without. */
async function readTemperature(root: string): Promise<number | null> {
  const folder = join(root, 'sys/class/thermal');
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('thermal_zone'));
  const zones = await Promise.all(
    names.sort().map(async (name) => ({
      type: (await readFile(join(folder, name, 'type'), 'utf8').catch(() => '')).trim(),
      milliCelsius: Number.parseInt(await readFile(join(folder, name, 'temp'), 'utf8').catch(() => ''), 10),
    })),
  );
  const readable = zones.filter(({ milliCelsius }) => Number.isFinite(milliCelsius));
  const zone = readable.find(({ type }) => type.startsWith('cpu')) ?? readable[0];
  return zone === undefined ? null : zone.milliCelsius / 1_000;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** To a tenth, within 0..100 (counters of different cores are not read at the same instant). */
function percent(part: number, whole: number): number {
  if (whole <= 0) return 0;
  return Math.round(Math.min(100, Math.max(0, (part / whole) * 100)) * 10) / 10;
}
