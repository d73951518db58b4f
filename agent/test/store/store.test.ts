import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/ports/logger.ts';
import { openDatabase } from '../../src/store/database.ts';
import { openDeviceStore } from '../../src/store/device-store.ts';
import { createOutbox, defaultOutboxQuota, type OutboxQuota, outboxSchema } from '../../src/store/outbox.ts';
import type { DeviceStore, NewReading } from '../../src/store/types.ts';
import { createFakeClock } from '../support/fake-clock.ts';

let dir: string;
let store: DeviceStore;
const clock = createFakeClock();
const open = (quota?: OutboxQuota) => {
  store = openDeviceStore({ dir, logger: silentLogger, clock, ...(quota && { quota }) });
  return store;
};
const boot = (digit: string, bootCount = 1) => ({ bootId: digit.repeat(32), bootCount });
const reading = (value: number, componentType = 'dht22'): NewReading => ({
  componentId: 1,
  componentType,
  metric: 'temperature',
  value,
  quality: 'good',
});
const at = { time: { measuredAt: 1_795_000_000_000 }, uptimeMs: 5_000 };
const all = { after: { order: 0, seq: 0 }, limit: 1_000 };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ares-store-'));
});
afterEach(() => {
  try {
    store.close();
  } catch {
    // Closed by the test.
  }
  rmSync(dir, { recursive: true, force: true });
});

describe('the outbox', () => {
  it('counts from 1 in each boot and never gives a number twice, even when all before are gone', () => {
    const outbox = open().openOutbox(1);
    outbox.beginBoot(boot('a'));
    expect(outbox.insert([reading(1), reading(2)], at).map((one) => one.reading.seq)).toEqual([1, 2]);
    outbox.deleteStored(boot('a').bootId, [[1, 2]]);
    expect(outbox.insert([reading(3)], at)[0]?.reading.seq).toBe(3);
    outbox.beginBoot(boot('b', 2));
    expect(outbox.insert([reading(4)], at)[0]?.reading.seq).toBe(1);
  });

  it('keeps seq, boot and time of a reading over a restart', () => {
    const before = open().openOutbox(1);
    before.beginBoot(boot('a', 7));
    before.insert([reading(1)], { time: { uptimeMs: 4_000 }, uptimeMs: 4_200.9 });
    const kept = before.read(all);
    store.close();
    const after = open().openOutbox(1);
    after.beginBoot(boot('b', 8));
    expect(after.read(all)).toEqual([{ ...kept[0], boot: { ...kept[0]?.boot, lastUptimeMs: 4_200 } }]);
    expect(after.read(all)[0]).toMatchObject({ boot: boot('a', 7), reading: { seq: 1, uptimeMs: 4_000 } });
  });

  it('deletes exactly what was stored', () => {
    const outbox = open().openOutbox(1);
    outbox.beginBoot(boot('a'));
    outbox.insert(
      Array.from({ length: 10 }, (_, i) => reading(i)),
      at,
    );
    expect(
      outbox.deleteStored(boot('a').bootId, [
        [2, 3],
        [7, 7],
        [40, 50],
      ]),
    ).toBe(3);
    expect(outbox.deleteStored(boot('f').bootId, [[1, 10]])).toBe(0);
    expect(outbox.read(all).map((one) => one.reading.seq)).toEqual([1, 4, 5, 6, 8, 9, 10]);
    expect(outbox.rows).toBe(7);
  });

  it('TEL-12 keeps finally refused readings as dead letters, a bounded number of them', () => {
    const outbox = open({ maxRows: 1_000, maxBytes: 1e9, maxDeadLetters: 3 }).openOutbox(1);
    outbox.beginBoot(boot('a'));
    outbox.insert(
      Array.from({ length: 6 }, (_, i) => reading(i)),
      at,
    );
    const refused = [1, 2, 3, 4, 5, 99].map((seq) => ({ seq, code: 'RANGE' as const }));
    expect(outbox.bury(boot('a').bootId, refused, 1)).toBe(5);
    expect(outbox.stats()).toMatchObject({ rows: 1, deadLetters: 3 });
  });

  it('FSP-03 drops the oldest only beyond the quota, and counts them over restarts', () => {
    const quota = { maxRows: 100, maxBytes: 1e9, maxDeadLetters: 3 };
    const outbox = open(quota).openOutbox(1);
    outbox.beginBoot(boot('a'));
    for (let i = 0; i < 100; i++) outbox.insert([reading(i)], at);
    expect(outbox.stats()).toMatchObject({ rows: 100, dropped: 0 });
    for (let i = 100; i < 120; i++) outbox.insert([reading(i)], at);
    expect(outbox.stats()).toMatchObject({ rows: 100, dropped: 20 });
    expect(outbox.read(all)[0]?.reading.seq).toBe(21);
    store.close();
    expect(open(quota).openOutbox(1).stats()).toMatchObject({ rows: 100, dropped: 20 });
  });

  it('FSP-03 bounds its bytes too', () => {
    const maxBytes = 400_000;
    const outbox = open({ maxRows: 1e9, maxBytes, maxDeadLetters: 3 }).openOutbox(1);
    outbox.beginBoot(boot('a'));
    for (let i = 0; i < 40; i++)
      outbox.insert(
        Array.from({ length: 250 }, (_, n) => reading(n)),
        at,
      );
    expect(outbox.stats().bytes).toBeLessThan(maxBytes + 40_000);
    expect(outbox.stats().dropped).toBeGreaterThan(0);
  });

  it('FSP-04 counts what a card that can only be read would not take, or anything else', () => {
    const database = openDatabase({
      path: join(dir, 'readonly.db'),
      schema: outboxSchema,
      logger: silentLogger,
      now: () => 1,
    });
    const lost: string[] = [];
    const outbox = createOutbox({
      database,
      quota: defaultOutboxQuota,
      mayGrow: () => true,
      onDropped: (count, why) => lost.push(`${count} ${why}`),
    });
    outbox.beginBoot(boot('a'));
    database.sql.exec('PRAGMA query_only = ON');
    expect(outbox.insert([reading(0), reading(1)], at)).toEqual([]);
    expect(lost).toEqual(['2 disk']);
    database.sql.exec('PRAGMA query_only = OFF');
    expect(outbox.insert([reading(2)], at)).toHaveLength(1);
    expect(outbox.stats()).toMatchObject({ rows: 1, dropped: 2 });

    const other = new DatabaseSync(join(dir, 'readonly.db'));
    other.exec('BEGIN IMMEDIATE');
    database.sql.exec('PRAGMA busy_timeout = 0');
    expect(() => outbox.insert([reading(3)], at)).toThrow('locked');
    other.close();
    expect(outbox.dropped).toBe(3);
    database.close();
  });

  it('FSP-03 counts what a full disk would not take, and goes on as soon as there is room', () => {
    const database = openDatabase({
      path: join(dir, 'full.db'),
      schema: outboxSchema,
      logger: silentLogger,
      now: () => 1,
    });
    const dropped: string[] = [];
    const make = () =>
      createOutbox({
        database,
        quota: { maxRows: 1e9, maxBytes: 1e9, maxDeadLetters: 3 },
        mayGrow: () => true,
        onDropped: (count, why) => dropped.push(`${count} ${why}`),
      });
    const outbox = make();
    outbox.beginBoot(boot('a'));
    outbox.insert([reading(0)], at);
    database.sql.exec('PRAGMA max_page_count = 1');
    const tick = Array.from({ length: 400 }, (_, n) => reading(n));
    while (dropped.length === 0) outbox.insert(tick, at);
    const { rows } = outbox;
    expect(dropped).toEqual(['400 disk']);
    expect(outbox.stats()).toMatchObject({ rows, dropped: 400 });
    database.sql.exec('PRAGMA max_page_count = 100000');
    expect(outbox.insert([reading(1)], at)[0]?.reading.seq).toBe(rows + 1);
    expect(make().dropped).toBe(400);
    database.close();
    open();
  });

  it('stores all readings of a tick or none', () => {
    const outbox = open().openOutbox(1);
    outbox.beginBoot(boot('a'));
    expect(() => outbox.insert([reading(1), reading(Number.NaN)], at)).toThrow();
    expect(outbox.rows).toBe(0);
    expect(outbox.insert([reading(2)], at)[0]?.reading.seq).toBe(1);
  });

  it("CMD-14 begins empty with a new assignment: a former owner's readings are gone from the disk", () => {
    const outbox = open().openOutbox(1);
    outbox.beginBoot(boot('a'));
    outbox.insert([reading(1)], at);
    outbox.saveDocument('components', { items: ['greenhouse of A'] });
    const next = store.openOutbox(2);
    expect(next.read(all)).toEqual([]);
    expect(next.loadDocument('components')).toBeUndefined();
    store.deleteOutbox();
    expect(readdirSync(dir).filter((name) => name.startsWith('outbox'))).toEqual([]);
  });

  it('FSP-02 sets a damaged outbox aside and goes on', () => {
    open().openOutbox(1).beginBoot(boot('a'));
    store.close();
    writeFileSync(
      join(dir, 'outbox.db'),
      'this is no database, but it is long enough to be read as one'.repeat(100),
    );
    const outbox = open().openOutbox(1);
    outbox.beginBoot(boot('b'));
    expect(outbox.insert([reading(1)], at)).toHaveLength(1);
    expect(readdirSync(dir).some((name) => name.startsWith('outbox.db.damaged'))).toBe(true);
    expect(store.journal.damaged).toBeUndefined();
  });
});

describe('device.db', () => {
  it('CLN-04 counts boots up, from above the floor that the cloud gives', () => {
    expect(open().counters.startBoot({ floor: 0 })).toBe(1);
    expect(store.counters.startBoot({ floor: 41 })).toBe(42);
    store.counters.raiseFloor(100);
    store.counters.raiseFloor(50);
    store.close();
    expect(open().counters.startBoot({ floor: 0 })).toBe(101);
  });

  it('keeps counters and journal when the outbox is deleted', () => {
    open().counters.startBoot({ floor: 0 });
    store.openOutbox(1);
    store.journal.receive({ commandId: 'c1', assignment: 1, componentId: 2, seq: 5 });
    store.deleteOutbox();
    expect(store.counters.bootCount).toBe(1);
    expect(store.journal.highestSeq(1, 2)).toBe(5);
    expect(store.journal.find('c1')).toMatchObject({ state: 'received' });
  });

  it('gives an unfinished command its result once, and never forgets it', () => {
    open().journal.receive({ commandId: 'c1', assignment: 1, componentId: 2, seq: 1 });
    store.journal.acting('c1');
    const unknown = (commandId: string) => ({ commandId, outcome: 'UNKNOWN' as const });
    expect(store.journal.closeUnfinished(unknown)).toBe(1);
    expect(store.journal.closeUnfinished(unknown)).toBe(0);
    store.journal.finish({ commandId: 'c1', outcome: 'COMPLETED' });
    expect(store.journal.find('c1')?.result).toEqual({ commandId: 'c1', outcome: 'UNKNOWN' });
    expect(store.journal.receive({ commandId: 'c1', assignment: 1, componentId: 2, seq: 9 })).toBe(false);
    expect(store.journal.highestSeq(1, 2)).toBe(1);
  });

  it('forgets only acknowledged commands, oldest first', () => {
    open();
    const command = (n: number) => ({ commandId: `c${n}`, assignment: 1, componentId: 2, seq: n });
    for (let n = 1; n <= 2_100; n++)
      store.journal.receive({ ...command(n), refused: { commandId: `c${n}`, outcome: 'STALE' } });
    store.journal.acknowledge(Array.from({ length: 2_099 }, (_, i) => `c${i + 2}`));
    expect(store.journal.find('c1')).toBeDefined();
    expect(store.journal.find('c2')).toBeUndefined();
    expect(store.journal.find('c2100')).toBeDefined();
  });

  it("CMD-14 forgets a former owner's commands when the device has another", () => {
    const { journal } = open();
    const command = { commandId: 'c1', assignment: 1, componentId: 2, seq: 5 };
    journal.receive({ ...command, refused: { commandId: 'c1', outcome: 'EXPIRED' } });
    store.openOutbox(1);
    expect(journal.unacknowledged(1, 10)).toHaveLength(1);
    store.openOutbox(2);
    expect([journal.unacknowledged(1, 10).length, journal.find('c1'), journal.highestSeq(1, 2)]).toEqual([
      0,
      undefined,
      0,
    ]);
  });

  it('CMD-06 fails closed when it was damaged, until the device has another assignment', () => {
    open().openOutbox(1);
    store.counters.startBoot({ floor: 0 });
    store.close();
    const path = join(dir, 'device.db');
    writeFileSync(path, Buffer.alloc(8_192, 0x5a));
    for (const suffix of ['-wal', '-shm']) if (existsSync(path + suffix)) truncateSync(path + suffix);
    open().openOutbox(1);
    expect(store.journal.damaged).toContain('device.db was damaged');
    store.close();
    open().openOutbox(1);
    expect(store.journal.damaged).toContain('device.db was damaged');
    store.openOutbox(2);
    expect(store.journal.damaged).toBeUndefined();
  });
});

describe('killed while it writes', () => {
  it('FSP-02 loses no reading that an insert returned, and starts again every time', async () => {
    const program = fileURLToPath(new URL('../support/outbox-writer.ts', import.meta.url));
    const promised = new Map<string, number>();
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, ['--conditions=@ares/source', program, dir, String(round)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(child, 'close');
      createInterface({ input: child.stdout }).on('line', (line) => {
        const [bootId, seq] = line.split(' ');
        promised.set(bootId!, Number(seq));
        if (Number(seq) > 100 + round * 37) child.kill('SIGKILL');
      });
      await ended;
    }
    const outbox = open().openOutbox(1);
    const stored = outbox.read({ ...all, limit: 100_000 });
    expect(promised.size).toBe(5);
    for (const [bootId, seq] of promised) {
      const seqs = stored.filter((one) => one.boot.bootId === bootId).map((one) => one.reading.seq);
      expect(seqs.length).toBeGreaterThanOrEqual(seq);
      expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => i + 1));
    }
  });
});
