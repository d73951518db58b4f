import { join } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { countersSchema, createCounters } from './counters.ts';
import { type Database, deleteDatabase, isDiskFull, openDatabase } from './database.ts';
import { keepReserve, mayGrow, useReserve } from './disk-reserve.ts';
import { createJournal, journalSchema } from './journal.ts';
import { createOutbox, defaultOutboxQuota, type Loss, type OutboxQuota, outboxSchema } from './outbox.ts';
import type { DeviceStore, Outbox } from './types.ts';

const assignmentSchema = `
  CREATE TABLE IF NOT EXISTS assignment (only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL) STRICT;
`;

/**
 * Opens the store of a device in `dir`.
 *
 * A damaged `outbox.db` is set aside: its readings are lost, the agent goes on. A damaged `device.db` is set aside
 * too, but with it went the record of what ran before, so `journal.damaged` says why only safe actions are obeyed
 * until the device has a new assignment, whose orders cannot be old ones.
 *
 * @throws {Error} when the folder cannot be written
 */
export function openDeviceStore(options: {
  readonly dir: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly quota?: OutboxQuota;
}): DeviceStore {
  const { dir, logger, clock, quota = defaultOutboxQuota } = options;
  const open = (name: string, schema: string) =>
    openDatabase({ path: join(dir, name), schema, logger, now: () => clock.now() });
  keepReserve(dir);
  const critical = <T>(work: () => T): T => useReserve(dir, isDiskFull, work);
  const device = critical(() => open('device.db', countersSchema + journalSchema));
  const { damaged: damage } = device;
  if (damage !== undefined)
    critical(() => device.prepare('INSERT INTO damages (assignment, detail) VALUES (0, ?)').run(damage));

  const damaged = () =>
    (device.prepare('SELECT detail FROM damages LIMIT 1').get() as { detail: string } | undefined)?.detail;

  const outboxPath = join(dir, 'outbox.db');
  let opened:
    | { readonly assignment: number; readonly database: Database; readonly outbox: Outbox }
    | undefined;
  const closeOutbox = () => {
    opened?.database.close();
    opened = undefined;
  };
  const openFor = (assignment: number): Database => {
    const database = open('outbox.db', assignmentSchema + outboxSchema);
    const owner = (database.prepare('SELECT number FROM assignment').get() as { number: number } | undefined)
      ?.number;
    if (owner === assignment) return database;
    if (owner === undefined) {
      database.prepare('INSERT INTO assignment (only, number) VALUES (1, ?)').run(assignment);
      return database;
    }
    // Readings of a former owner never reach the next one.
    logger.info('new assignment: the outbox of the former one is deleted', { former: owner, assignment });
    database.close();
    deleteDatabase(outboxPath);
    return openFor(assignment);
  };
  /** Orders of former assignments are refused for good: nothing has to be remembered of them. */
  const forgetFormer = (assignment: number) =>
    device.transaction(() => {
      device.prepare('DELETE FROM commands WHERE assignment < ?').run(assignment);
      device.prepare('DELETE FROM command_seqs WHERE assignment < ?').run(assignment);
    });
  /** The damage counts for the assignment that was there when it was found; the next one starts afresh. */
  const mendFor = (assignment: number) => {
    device.prepare('UPDATE damages SET assignment = ? WHERE assignment = 0').run(assignment);
    device.prepare('DELETE FROM damages WHERE assignment <> ?').run(assignment);
  };

  return {
    counters: withReserve(createCounters(device), critical),
    journal: withReserve(createJournal(device, damaged), critical),
    openOutbox: (assignment) => {
      if (opened?.assignment === assignment) return opened.outbox;
      closeOutbox();
      critical(() => mendFor(assignment));
      critical(() => forgetFormer(assignment));
      const database = critical(() => openFor(assignment));
      const outbox = createOutbox({
        database,
        quota,
        mayGrow: () => mayGrow(dir),
        onDropped: createLossLog({ logger, clock }),
      });
      opened = { assignment, database, outbox };
      return outbox;
    },
    deleteOutbox: () => {
      closeOutbox();
      deleteDatabase(outboxPath);
    },
    keepReserve: () => keepReserve(dir),
    close: () => {
      closeOutbox();
      device.close();
    },
  };
}

/** The same object, whose functions get the reserve when they find the disk full. Each is all or nothing. */
function withReserve<T extends object>(target: T, critical: <R>(work: () => R) => R): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => critical(() => Reflect.apply(value, object, args) as unknown);
    },
  });
}

const SAY_AGAIN_AFTER_MS = 60_000;
const doAbout: { readonly [L in Loss]: string } = {
  quota: 'connect the device or raise the quota',
  'disk low': 'make room on the disk',
  disk: 'make room on the disk, or replace a card that can only be read',
};

/** At once, then once a minute: on a full disk the log must not be what fills it. */
function createLossLog({ logger, clock }: { readonly logger: Logger; readonly clock: Clock }) {
  const lost = new Map<Loss, { count: number; nextMs: number }>();
  return (count: number, why: Loss, cause?: unknown) => {
    const sum = lost.get(why) ?? { count: 0, nextMs: 0 };
    lost.set(why, sum);
    sum.count += count;
    if (clock.monotonicMs() < sum.nextMs) return;
    logger.warn('readings lost', {
      count: sum.count,
      why,
      do: doAbout[why],
      ...(cause !== undefined && { cause }),
    });
    lost.set(why, { count: 0, nextMs: clock.monotonicMs() + SAY_AGAIN_AFTER_MS });
  };
}
