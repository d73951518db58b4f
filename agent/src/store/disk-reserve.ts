import {
  closeSync,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/*
 * Room on the disk for what must never find it full: certificates, the record of commands, states, updates.
 * A reserve file is given up when one of them does; readings never get at it.
 */

const NAME = '.reserve';
const RESERVE_BYTES = 2 * 1024 * 1024;
/** Readings leave this much of the disk to everybody else, or a tenth of a small one. */
const FLOOR_BYTES = 64 * 1024 * 1024;

/** Runs it, and once more with the reserve when the disk was too full for it. */
export function useReserve<T>(folder: string, isFull: (cause: unknown) => boolean, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!isFull(cause) || !releaseReserve(folder)) throw cause;
    return work();
  }
}

/** Gives the room to the caller. @returns whether there was any */
export function releaseReserve(folder: string): boolean {
  const path = join(folder, NAME);
  if (sizeOf(path) === undefined) return false;
  rmSync(path, { force: true });
  return true;
}

/**
 * Makes the reserve where it is missing and there is room for it. Whether it is there now.
 * Real bytes, as a file of holes would reserve nothing; never throws.
 */
export function keepReserve(folder: string, bytes = RESERVE_BYTES): boolean {
  const path = join(folder, NAME);
  if (sizeOf(path) === bytes) return true;
  const temporary = `${path}.tmp`;
  try {
    if (freeBytes(folder) < bytes + floorOf(folder)) return false;
    const file = openSync(temporary, 'w', 0o600);
    try {
      const { uid, gid } = statSync(folder);
      if (process.getuid?.() === 0) fchownSync(file, uid, gid);
      const block = Buffer.alloc(64 * 1024);
      for (let written = 0; written < bytes; )
        written += writeSync(file, block, 0, Math.min(block.length, bytes - written));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    return true;
  } catch {
    rmSync(temporary, { force: true });
    return false;
  }
}

/** Whether readings may take more of the disk. A disk that cannot be asked is no reason to lose any. */
export function mayGrow(folder: string): boolean {
  try {
    return freeBytes(folder) >= floorOf(folder);
  } catch {
    return true;
  }
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function floorOf(folder: string): number {
  const { blocks, bsize } = statfsSync(folder);
  return Math.min(FLOOR_BYTES, (blocks * bsize) / 10);
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
