import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CpuSample } from '../hardware.ts';

/** Bits of get_throttled: what is now, and 16 higher what was since boot. */
const undervoltageBit = 1 << 0;
/** Frequency capped, throttled, soft temperature limit. */
const throttledBits = (1 << 1) | (1 << 2) | (1 << 3);
const sinceBoot = 16;

/**
 * Reads how the board's supply and heat are: the firmware's flags, where the kernel of Raspberry Pi OS shows them, else
 * the alarm that any kernel's `rpi_volt` keeps of an undervoltage. Each answer covers the time since the one before.
 * Flags that cannot be read are null.
 */
export function createSupplyReader(
  root: string,
): () => Promise<Pick<CpuSample, 'undervoltage' | 'throttled'>> {
  let known = 0;
  return async () => {
    const flags = await readFlags(root);
    if (flags === null) return { undervoltage: await readAlarm(root), throttled: null };
    // What was first seen since boot by this sample happened since the one before.
    const fresh = flags & ~known;
    known = flags;
    const happened = (bits: number) => (flags & bits) !== 0 || (fresh & (bits << sinceBoot)) !== 0;
    return { undervoltage: happened(undervoltageBit), throttled: happened(throttledBits) };
  };
}

/** `soc:firmware` up to the Pi 4, `soc@…:firmware` on the Pi 5. */
async function readFlags(root: string): Promise<number | null> {
  const platform = join(root, 'sys/devices/platform');
  for (const soc of await names(platform, /^soc(@|$)/))
    for (const firmware of await names(join(platform, soc), /:firmware$/)) {
      const text = await readFile(join(platform, soc, firmware, 'get_throttled'), 'latin1').catch(() => '');
      if (/^(0x)?[0-9a-f]+\s*$/i.test(text)) return Number.parseInt(text, 16);
    }
  return null;
}

async function readAlarm(root: string): Promise<boolean | null> {
  const folder = join(root, 'sys/class/hwmon');
  for (const name of await names(folder, /^hwmon/)) {
    const chip = await readFile(join(folder, name, 'name'), 'latin1').catch(() => '');
    if (chip.trim() !== 'rpi_volt') continue;
    const alarm = await readFile(join(folder, name, 'in0_lcrit_alarm'), 'latin1').catch(() => '');
    if (/^[01]\s*$/.test(alarm)) return alarm[0] === '1';
  }
  return null;
}

async function names(folder: string, pattern: RegExp): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).filter((name) => pattern.test(name)).sort();
}
