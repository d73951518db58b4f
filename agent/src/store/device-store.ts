import { join } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { countersSchema, createCounters } from './counters.ts';
import { type Database, deleteDatabase, openDatabase } from './database.ts';
import { createJournal, journalSchema } from './journal.ts';
import { createOutbox, defaultOutboxQuota, type OutboxQuota, outboxSchema } from './outbox.ts';
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
  const device = open('device.db', countersSchema + journalSchema);
  if (device.damaged !== undefined)
    device.prepare('INSERT INTO damages (assignment, detail) VALUES (0, ?)').run(device.damaged);

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
    counters: createCounters(device),
    journal: createJournal(device, damaged),
    openOutbox: (assignment) => {
      if (opened?.assignment === assignment) return opened.outbox;
      closeOutbox();
      mendFor(assignment);
      forgetFormer(assignment);
      const database = openFor(assignment);
      const onDropped = (count: number, why: string) =>
        logger.warn('readings dropped', { count, why, do: 'connect the device or raise the quota' });
      const outbox = createOutbox({ database, quota, onDropped });
      opened = { assignment, database, outbox };
      return outbox;
    },
    deleteOutbox: () => {
      closeOutbox();
      deleteDatabase(outboxPath);
    },
    close: () => {
      closeOutbox();
      device.close();
    },
  };
}
