import { existsSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/ports/logger.ts';
import { openDeviceStore } from '../../src/store/device-store.ts';
import { writeDurableFile } from '../../src/store/durable-file.ts';
import type { DeviceStore } from '../../src/store/types.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { canMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';

const megabyte = 1024 * 1024;
let disk: SmallDisk;
let store: DeviceStore;
afterEach(() => {
  store.close();
  disk.remove();
});

function open(options: string): DeviceStore {
  disk = mountSmallDisk(options);
  store = openDeviceStore({ dir: disk.dir, logger: silentLogger, clock: createFakeClock() });
  return store;
}

const reading = (value: number) =>
  ({ componentId: 1, componentType: 'dht22', metric: 'temperature', value, quality: 'good' }) as const;
const at = { time: { measuredAt: 1 }, uptimeMs: 1 };
const tick = (count: number) => Array.from({ length: count }, (_, i) => reading(i));
const reserve = () => existsSync(join(disk.dir, '.reserve'));
const freeBytes = () => {
  const { bavail, bsize } = statfsSync(disk.dir);
  return bavail * bsize;
};
const order = (seq: number) => ({
  commandId: `00000000-0000-4000-8000-${String(seq).padStart(12, '0')}`,
  assignment: 1,
  componentId: 2,
  seq,
});

describe.skipIf(!canMount)('a disk of its own (root only)', () => {
  it('FSP-03 that others have filled: certificates and the record of commands have their reserve, lost readings are counted', () => {
    const outbox = open('size=16m').openOutbox(1);
    outbox.beginBoot({ bootId: 'a'.repeat(32), bootCount: 1 });
    outbox.insert(tick(1), at);
    expect(reserve()).toBe(true);
    disk.fill();
    expect(freeBytes()).toBe(0);

    let measured = 1;
    for (let i = 0; i < 200; i++) {
      outbox.insert(tick(50), at);
      measured += 50;
    }
    const { rows, dropped } = outbox.stats();
    expect(rows + dropped).toBe(measured);
    expect(dropped).toBeGreaterThan(0);
    expect(reserve()).toBe(true);

    for (let seq = 1; seq <= 50; seq++) expect(store.journal.receive(order(seq))).toBe(true);
    expect(store.journal.highestSeq(1, 2)).toBe(50);
    const credentials = join(disk.dir, 'credentials.json');
    writeDurableFile(credentials, 'x'.repeat(100_000));
    expect(readFileSync(credentials, 'utf8')).toHaveLength(100_000);
    expect(reserve()).toBe(false);

    disk.empty();
    expect(outbox.insert(tick(1), at)).toHaveLength(1);
    expect(outbox.dropped).toBe(dropped);
    expect(store.keepReserve()).toBe(true);
    expect(reserve()).toBe(true);
  });

  it('FSP-03 that readings would fill: the oldest make room for new ones, and the rest of the disk stays free', () => {
    const outbox = open('size=16m').openOutbox(1);
    outbox.beginBoot({ bootId: 'a'.repeat(32), bootCount: 1 });
    let last = 0;
    while (outbox.stats().dropped === 0 && last < 1_000_000)
      last = outbox.insert(tick(500), at).at(-1)!.reading.seq;
    expect(outbox.stats().rows).toBeGreaterThan(50_000);
    for (let i = 0; i < 200; i++) last = outbox.insert(tick(500), at).at(-1)!.reading.seq;
    const { rows, dropped, diskLow } = outbox.stats();
    expect(diskLow).toBe(true);
    expect(rows + dropped).toBe(last);
    expect(outbox.read({ after: { order: 0, seq: 0 }, limit: 1 })[0]?.reading.seq).toBe(dropped + 1);
    expect(freeBytes()).toBeGreaterThan(megabyte / 2);
    expect(reserve()).toBe(true);
  });

  it('FSP-04 without a free inode: a certificate is replaced all the same', () => {
    open('size=16m,nr_inodes=24');
    const credentials = join(disk.dir, 'credentials.json');
    writeDurableFile(credentials, 'old');
    let made = 0;
    const take = () => {
      for (; made < 100; made++) writeFileSync(join(disk.dir, `of-somebody-else-${made}`), '');
    };
    expect(take).toThrow('ENOSPC');
    writeDurableFile(credentials, 'new');
    expect(readFileSync(credentials, 'utf8')).toBe('new');
  });
});
