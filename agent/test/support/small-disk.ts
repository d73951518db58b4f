import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk of its own, small enough to be full. */
export interface SmallDisk {
  readonly dir: string;
  /** Others take all that is left. */
  fill(): void;
  /** They give it back. */
  empty(): void;
  remove(): void;
}

export const canMount = process.getuid?.() === 0;

/** @param options of tmpfs, e.g. `size=16m` */
export function mountSmallDisk(options: string): SmallDisk {
  const dir = mkdtempSync(join(tmpdir(), 'ares-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `${options},mode=0700`, 'tmpfs', dir]);
  const filler = join(dir, 'of-somebody-else');
  return {
    dir,
    fill() {
      const file = openSync(filler, 'a');
      try {
        for (const size of [64 * 1024, 4 * 1024]) fillBy(file, Buffer.alloc(size));
      } finally {
        closeSync(file);
      }
    },
    empty: () => rmSync(filler, { force: true }),
    remove() {
      execFileSync('umount', ['-l', dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function fillBy(file: number, block: Buffer): void {
  try {
    for (;;) writeSync(file, block);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
  }
}
