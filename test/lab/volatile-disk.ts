import { readFileSync, writeFileSync } from 'node:fs';
import type { SeededRandom } from '../support/random.ts';

const SECTOR = 512;

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
   * The power fails. `drop` loses all sectors not flushed; `shuffle` loses each by a toss of a coin, as a disk
   * writes its cache back in the order it likes.
   *
   * @returns how many sectors were lost
   */
  cut(mode: 'drop' | 'shuffle', random: SeededRandom): number;
  /** Writes what survived to a file. */
  save(file: string): void;
}

/** @param image a file with the first content of the disk, a multiple of 512 bytes long */
export function openVolatileDisk(image: string): VolatileDisk {
  const durable = readFileSync(image);
  const live = Buffer.from(durable);
  const dirty = new Set<number>();
  const copy = (from: Buffer, to: Buffer, sector: number) =>
    from.copy(to, sector * SECTOR, sector * SECTOR, (sector + 1) * SECTOR);
  return {
    bytes: live.length,
    read: (offset, length) => live.subarray(offset, offset + length),
    write: (offset, data) => {
      live.set(data, offset);
      const last = Math.floor((offset + data.length - 1) / SECTOR);
      for (let sector = Math.floor(offset / SECTOR); sector <= last; sector++) dirty.add(sector);
    },
    flush: () => {
      for (const sector of dirty) copy(live, durable, sector);
      dirty.clear();
    },
    cut: (mode, random) => {
      let lost = 0;
      for (const sector of dirty) {
        if (mode === 'shuffle' && random.next() < 0.5) copy(live, durable, sector);
        else lost += 1;
      }
      dirty.clear();
      durable.copy(live);
      return lost;
    },
    save: (file) => writeFileSync(file, durable),
  };
}
