import { sql } from 'kysely';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { ReadingStorage } from '../ports/reading-storage.ts';
import type { Retention } from '../telemetry/retention.ts';
import { continuousAggregates, rehearsal, rehearsalEnd, toHypertable } from './timescale-sql.ts';

/**
 * TimescaleDB, where its extension is installed in the database and does what is asked of it: an edition without
 * continuous aggregates or compression refuses, which is found out by asking.
 * @returns `undefined` where plain partitions are to be used
 */
export async function openTimescaleStorage(options: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly retention: Retention;
  readonly log: Logger;
}): Promise<ReadingStorage | undefined> {
  const { database } = options;
  // One process at a time: several may start on a new database at once.
  const isReady = await database.db.connection().execute(async (connection) => {
    await sql`select pg_advisory_lock(hashtext('ares-timescale'))`.execute(connection);
    try {
      return await prepare(connection, options);
    } finally {
      await sql`select pg_advisory_unlock(hashtext('ares-timescale'))`.execute(connection);
    }
  });
  if (!isReady) return undefined;
  return {
    kind: 'timescale',
    ensure: async () => undefined,
    rollUp: async () => 0,
    dropExpired: async () => [],
  };
}

async function prepare(
  db: Queries,
  { retention, log }: { readonly retention: Retention; readonly log: Logger },
): Promise<boolean> {
  const has = async (query: string) => (await sql.raw(query).execute(db)).rows.length > 0;
  if (!(await has(`select from pg_extension where extname = 'timescaledb'`))) return false;
  const isHypertable = await has(
    `select from timescaledb_information.hypertables where hypertable_name = 'telemetry_data'`,
  );
  if (!isHypertable) {
    if (await has('select from telemetry_data limit 1')) {
      log.warn({}, 'TimescaleDB is there, but readings are in plain partitions already: they stay there');
      return false;
    }
    if (!(await rehearse(db, retention, log))) return false;
    await db.transaction().execute(async (transaction) => {
      for (const statement of toHypertable) await sql.raw(statement).execute(transaction);
    });
  }
  // The last of them is missing where a process ended in between; what is compressed cannot be set up again.
  if (await has(`select from timescaledb_information.jobs where proc_name = 'policy_compression'`))
    return true;
  for (const statement of continuousAggregates(retention)) await sql.raw(statement).execute(db);
  return true;
}

async function rehearse(db: Queries, retention: Retention, log: Logger): Promise<boolean> {
  try {
    for (const statement of rehearsal(retention)) await sql.raw(statement).execute(db);
    return true;
  } catch (error) {
    log.warn({ error: (error as Error).message }, 'TimescaleDB is there, but cannot do what is needed');
    return false;
  } finally {
    for (const statement of rehearsalEnd) await sql.raw(statement).execute(db);
  }
}
