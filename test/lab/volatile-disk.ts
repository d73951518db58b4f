import { readFileSync, writeFileSync } from 'node:fs';
import type { SeededRandom } from '../support/random.ts';

/** What is written whole or not at all, as the pages of a memory card; a file system relies on it for its own blocks. */
const PAGE = 4_096;

/**
 * A disk with a cache that a power cut empties. What was written is there to be read, but only what was flushed
 * is there after {@link cut}.
 */
export interface VolatileDisk {
  readonly bytes: number;
  read(offset: number, length: number): Buffer;
  write(offset: number, data: Uint8Array): void;
  flush(): void;
  /**
   * The power fails. `drop` loses all pages not flushed; `shuffle` loses each by a toss of a coin, as a disk
   * writes its cache back in the order it likes.
   *
   * @returns how many pages were lost
   */
  cut(mode: 'drop' | 'shuffle', random: SeededRandom): number;
  /** Writes what survived to a file. */
  save(file: string): void;
}

/** @param image a file with the first content of the disk, a multiple of 4096 bytes long */
export function openVolatileDisk(image: string): VolatileDisk {
  const durable = readFileSync(image);
  const live = Buffer.from(durable);
  const dirty = new Set<number>();
  const copy = (from: Buffer, to: Buffer, page: number) =>
    from.copy(to, page * PAGE, page * PAGE, (page + 1) * PAGE);
  return {
    bytes: live.length,
    read: (offset, length) => live.subarray(offset, offset + length),
    write: (offset, data) => {
      live.set(data, offset);
      const last = Math.floor((offset + data.length - 1) / PAGE);
      for (let page = Math.floor(offset / PAGE); page <= last; page++) dirty.add(page);
    },
    flush: () => {
      for (const page of dirty) copy(live, durable, page);
      dirty.clear();
    },
    cut: (mode, random) => {
      let lost = 0;
      for (const page of dirty) {
        if (mode === 'shuffle' && random.next() < 0.5) copy(live, durable, page);
        else lost += 1;
      }
      dirty.clear();
      durable.copy(live);
      return lost;
    },
    save: (file) => writeFileSync(file, durable),
  };
}
