import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** A file system of its own on a block device of its own: what is written to it is counted by the kernel. */
export interface LoopDisk {
  /** Sectors and requests that reached the device, journal of the file system and all. */
  written(): { readonly bytes: number; readonly requests: number };
  remove(): void;
}

/** ext4 as a Raspberry Pi has it, mounted at `dir`. @throws without root, or where loop devices cannot be used */
export function mountLoopDisk(image: string, dir: string): LoopDisk {
  const file = openSync(image, 'w', 0o600);
  ftruncateSync(file, 512 * 1024 * 1024);
  closeSync(file);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  // What an empty file system still has to write in the background would count as the agent's.
  execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image]);
  execFileSync('mount', ['-o', 'loop,noatime', image, dir]);
  const device = basename(execFileSync('findmnt', ['-n', '-o', 'SOURCE', dir], { encoding: 'utf8' }).trim());
  return {
    written() {
      // https://docs.kernel.org/block/stat.html: the fifth field is requests, the seventh sectors of 512 bytes.
      const fields = readFileSync(`/sys/block/${device}/stat`, 'utf8').trim().split(/\s+/).map(Number);
      return { requests: fields[4]!, bytes: fields[6]! * 512 };
    },
    remove: () => void execFileSync('umount', ['-l', dir]),
  };
}
