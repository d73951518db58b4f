import { readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LineLevel } from '../../src/index.ts';

/** libgpiod's programs as shell scripts, on lines that are files; they take what the version documents and nothing else. */
export async function makeGpiodStandIn(options: { readonly version: string; readonly label?: string }) {
  const folder = await mkdtemp(join(tmpdir(), 'ares-gpiod-'));
  await cp(fileURLToPath(new URL('./gpiod-stand-in', import.meta.url)), folder, { recursive: true });
  writeFileSync(join(folder, 'version'), options.version);
  writeFileSync(join(folder, 'label'), options.label ?? 'pinctrl-bcm2711');
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name), 'latin1').trim();
    } catch {
      return undefined;
    }
  };
  /** Process and level of who has the line. */
  const owner = (bcm: number): { pid: number; level: string } | undefined => {
    const [pid = '', level = ''] = read(`owner${bcm}`)?.split(' ') ?? [];
    return pid !== '' && isAlive(Number(pid)) ? { pid: Number(pid), level } : undefined;
  };
  return {
    folder,
    owner,
    /** Level on the wire: of its owner, else of its pull, as gpio-sim has it. */
    level: (bcm: number): LineLevel => {
      const driven = owner(bcm)?.level;
      return (driven === '0' || driven === '1' ? driven : (read(`pull${bcm}`) ?? '0')) as LineLevel;
    },
    setPull: (bcm: number, level: LineLevel) => writeFileSync(join(folder, `pull${bcm}`), level),
    /** Levels that somebody set on a line, one after the other. */
    history: (bcm: number) => (read(`history${bcm}`) ?? '').split('\n').map((entry) => entry.split(' ')[1]),
  };
}

/** Whether a process runs: one that only waits to be asked for its exit code does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
