import { sql } from 'kysely';
import { migrations } from '../migrations/index.ts';
import type { BackupConnection } from '../ports/backup-connection.ts';
import type { Queries } from '../ports/database.ts';
import { catalogueOf } from './catalogue.ts';
import { type CheckedBackup, readChecked } from './read-backup.ts';
import type { TarEntry } from './tar.ts';
import { BackupError, type Manifest } from './types.ts';

/**
 * Puts a checked backup into a database, all of it or nothing: tables are made as the backup's release made them and
 * filled, in one transaction. Later migrations run afterwards, as at any start.
 * @param options.file takes each file of the cloud's folder that is in the backup
 * @throws {BackupError} NOT_EMPTY, IN_USE, BACKUP_NEWER, BACKUP_DAMAGED
 */
export async function restoreBackup(options: {
  readonly connection: BackupConnection;
  readonly backup: CheckedBackup;
  readonly archive: AsyncIterable<Uint8Array>;
  /** Replace what the database holds. */
  readonly force: boolean;
  readonly file: (name: string, content: Uint8Array) => Promise<void>;
}): Promise<void> {
  const { connection, backup, archive, force, file } = options;
  const { queries } = connection;
  const { manifest } = backup;
  const unknown = manifest.migrations.filter((name) => !(name in migrations));
  if (unknown.length > 0)
    throw new BackupError(
      'BACKUP_NEWER',
      `This backup was made by release ${manifest.release}, whose tables this release does not know (${unknown.join(', ')}). Restore it with that release.`,
    );
  await connection.transaction('write', async () => {
    await refuseInUse(queries);
    if (!force) await refuseFilled(queries);
    await dropEverything(queries);
    await makeTables(queries, manifest);
    const constraints = await dropForeignKeys(queries);
    const tables = new Map(manifest.tables.map((table) => [table.name, table]));
    await prepareTables(queries, manifest);
    const entries = readChecked(archive, backup);
    let next = await entries.next();
    while (!next.done) {
      const table = /^data\/([a-z0-9_]+)\//.exec(next.value.name)?.[1];
      if (table === undefined) {
        const { name, content } = next.value;
        if (name.startsWith('files/')) await file(name.slice('files/'.length), content);
        next = await entries.next();
        continue;
      }
      const { columns, rows } = tables.get(table)!;
      const pieces = piecesOf(table, next.value, entries);
      const taken = await connection.copyIn(copySql(table, columns), pieces.content());
      if (taken !== rows)
        throw new BackupError('BACKUP_DAMAGED', `${table} has ${taken} rows instead of ${rows}.`);
      next = pieces.next();
    }
    await finishTables(queries, manifest, constraints);
  });
}

/** The pieces of one table, and the entry after them. */
function piecesOf(table: string, first: TarEntry, entries: AsyncIterator<TarEntry>) {
  let after: IteratorResult<TarEntry> = { done: false, value: first };
  return {
    async *content() {
      while (!after.done && after.value.name.startsWith(`data/${table}/`)) {
        yield after.value.content;
        after = await entries.next();
      }
    },
    next: () => after,
  };
}

const copySql = (table: string, columns: readonly string[]) =>
  `copy "${table}" (${columns.map((name) => `"${name}"`).join(', ')}) from stdin`;

async function refuseInUse(queries: Queries): Promise<void> {
  const { rows } = await sql<{ name: string }>`select distinct application_name as name from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`.execute(
    queries,
  );
  if (rows.length > 0)
    throw new BackupError(
      'IN_USE',
      'Something is connected to the database. Stop every process of the cloud, and restore again.',
    );
}

async function refuseFilled(queries: Queries): Promise<void> {
  const { tables } = await catalogueOf(queries);
  for (const { name } of tables.filter((table) => ['users', 'devices'].includes(table.name))) {
    const { rows } = await sql`select from ${sql.table(name)} limit 1`.execute(queries);
    if (rows.length > 0)
      throw new BackupError(
        'NOT_EMPTY',
        'The database holds users or devices already. Restore into an empty one, or replace everything in it with --force.',
      );
  }
}

/** Everything of ours; what belongs to extensions stays. */
async function dropEverything(queries: Queries): Promise<void> {
  const { tables } = await catalogueOf(queries);
  for (const { name } of tables) await sql`drop table ${sql.table(name)} cascade`.execute(queries);
  const { rows } = await sql<{ signature: string }>`
    select p.oid::regprocedure::text as signature from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`.execute(queries);
  for (const { signature } of rows) await sql.raw(`drop routine ${signature} cascade`).execute(queries);
  // Jobs refer to what was there; they are planned anew at the next start.
  await sql`drop schema if exists pgboss cascade`.execute(queries);
}

async function makeTables(queries: Queries, manifest: Manifest): Promise<void> {
  // As kysely makes them; what they hold comes with the backup.
  await sql`create table kysely_migration (name varchar(255) primary key, timestamp varchar(255) not null)`.execute(
    queries,
  );
  await sql`create table kysely_migration_lock (id varchar(255) primary key, is_locked integer not null default 0)`.execute(
    queries,
  );
  for (const name of manifest.migrations.toSorted()) await migrations[name]!.up(queries);
}

async function prepareTables(queries: Queries, manifest: Manifest): Promise<void> {
  const present = await catalogueOf(queries);
  const columnsOf = new Map(present.tables.map(({ name, columns }) => [name, new Set(columns)]));
  for (const { name, columns } of manifest.tables) {
    const known = columnsOf.get(name);
    if (known === undefined || columns.some((column) => !known.has(column)))
      throw new BackupError('BACKUP_DAMAGED', `${name} is no table as its migrations make it.`);
    // Rules were kept when these rows were written; their triggers must not write them a second time.
    await sql`alter table ${sql.table(name)} disable trigger user`.execute(queries);
    // Rows that migrations make are in the backup too.
    await sql`truncate ${sql.table(name)}`.execute(queries);
  }
  for (const day of manifest.days.telemetry_data)
    await sql`select ensure_telemetry_partition(${day}::date)`.execute(queries);
  for (const day of manifest.days.telemetry_minutes)
    await sql`select ensure_minutes_partition(${day}::date)`.execute(queries);
}

interface Constraint {
  readonly table: string;
  readonly name: string;
  readonly definition: string;
}

/** Tables are filled in any order; what refers to what is checked at the end. */
async function dropForeignKeys(queries: Queries): Promise<readonly Constraint[]> {
  const { rows } = await sql<Constraint>`
    select c.conrelid::regclass::text as table, c.conname as name, pg_get_constraintdef(c.oid) as definition
    from pg_constraint c where c.contype = 'f' and c.connamespace = 'public'::regnamespace
      and c.conparentid = 0`.execute(queries);
  for (const { table, name } of rows)
    await sql`alter table ${sql.raw(table)} drop constraint ${sql.id(name)}`.execute(queries);
  return rows;
}

async function finishTables(
  queries: Queries,
  manifest: Manifest,
  constraints: readonly Constraint[],
): Promise<void> {
  for (const { table, name, definition } of constraints)
    await sql`alter table ${sql.raw(table)} add constraint ${sql.id(name)} ${sql.raw(definition)}`.execute(
      queries,
    );
  for (const { name } of manifest.tables)
    await sql`alter table ${sql.table(name)} enable trigger user`.execute(queries);
  for (const [name, last] of Object.entries(manifest.sequences))
    await sql`select setval(${name}::regclass, ${last})`.execute(queries);
}
