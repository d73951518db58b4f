import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LineLevel } from './gpio-line.ts';

/** What `line-holder.sh` says of its line: the level, and which process has the line from the kernel. */
interface HolderState {
  readonly level: LineLevel;
  readonly setter: number;
}

/**
 * The level at which a line is held now, or undefined when it is not, or is being changed. Not what the holder
 * remembers: the process is there, the kernel has given it the line, and its arguments name the level. (The kernel
 * gives nobody else the level of a line that is in use.)
 */
export async function heldLevel(folder: string, offset: number): Promise<LineLevel | undefined> {
  try {
    const state = parseState(await readFile(join(folder, 'state'), 'latin1'));
    if (state === undefined) return undefined;
    const process = `/proc/${state.setter}`;
    const args = (await readFile(`${process}/cmdline`, 'latin1')).split('\0');
    if (!args.includes(`${offset}=${state.level}`) || !(await hasLines(process))) return undefined;
    return state.level;
  } catch {
    // No holder, or its process ended while we looked.
    return undefined;
  }
}

/** Whether the process has lines of a character device, which it gets from the kernel with their levels set. */
export async function hasLines(process: string): Promise<boolean> {
  const files = await readdir(`${process}/fd`);
  const targets = await Promise.all(files.map((file) => readlink(`${process}/fd/${file}`).catch(() => '')));
  return targets.some((target) => target.includes('anon_inode:gpio'));
}

/** Writes a level for the holder. Never waits, whether a holder lives or not. @throws when there is no FIFO */
export async function tellHolder(folder: string, level: LineLevel): Promise<void> {
  await writeFile(join(folder, 'value'), `${level}\n`, { flag: 'r+' });
}

function parseState(text: string): HolderState | undefined {
  const [level, , setter] = text.trim().split(' ');
  if (level !== '0' && level !== '1') return undefined;
  return { level, setter: Number(setter) };
}
