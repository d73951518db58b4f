import { type Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { migrations } from '../migrations/index.ts';
import type { Schema } from './schema.ts';

/** The tables cannot be brought to what this release needs. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
  readonly code = 'TABLES_OF_ANOTHER_RELEASE';
}

/**
 * Brings the tables up to date, all of it or nothing. Any number of processes may start at once: one does it under a
 * lock of the database, the others wait for it. Where a later release has been at it already, nothing is done: its
 * migrations only add, so that processes of the release before go on during a roll-out, and start again too.
 * @throws {MigrationError} when the tables are of a release that does not know all of this one's migrations
 */
export async function migrate(db: Kysely<Schema>): Promise<readonly string[]> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    // A correction of an earlier release may have come after what this one brings.
    allowUnorderedMigrations: true,
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    if (await isOfLaterRelease(db)) return [];
    throw error;
  }
  return (results ?? [])
    .filter(({ status }) => status === 'Success')
    .map(({ migrationName }) => migrationName);
}

async function isOfLaterRelease(db: Kysely<Schema>): Promise<boolean> {
  const done = await migrationsOf(db);
  const later = done.filter((name) => !(name in migrations));
  if (later.length === 0) return false;
  const missing = Object.keys(migrations).filter((name) => !done.includes(name));
  if (missing.length === 0) return true;
  throw new MigrationError(
    `The database has ${later.join(', ')}, which this release does not know, and lacks ${missing.join(', ')}. Start the release that made it, or restore a backup.`,
  );
}

/** Names of the migrations that a database has been through, in order. */
export async function migrationsOf(db: Kysely<Schema>): Promise<readonly string[]> {
  const { rows: there } = await sql<{ there: boolean }>`
    select to_regclass('kysely_migration') is not null as there`.execute(db);
  if (there[0]?.there !== true) return [];
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map(({ name }) => name);
}
