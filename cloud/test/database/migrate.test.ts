import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { describe, expect, it, onTestFinished } from 'vitest';
import { migrate, migrationsOf } from '../../src/database/migrate.ts';
import { migrations } from '../../src/migrations/index.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { databaseAt, everythingIn, fill, migrateTo } from '../support/filled-database.ts';

const FIRST_RELEASE = '0002-wifi-changes';
const names = Object.keys(migrations).sort();
const program = fileURLToPath(new URL('start-process.ts', import.meta.url));

/** Starts processes that wait for each other, and answers what each of them migrated. */
async function startTogether(count: number, connection: object): Promise<string[][]> {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ['--conditions=@ares/source', program, JSON.stringify(connection)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  const lines = children.map((child) => createInterface({ input: child.stdout })[Symbol.asyncIterator]());
  for (const line of lines) expect((await line.next()).value).toBe('ready');
  const exits = children.map((child) => once(child, 'exit'));
  for (const child of children) child.stdin.write('go\n');
  const migrated = await Promise.all(
    lines.map(async (line) => JSON.parse(String((await line.next()).value ?? 'null')) as string[]),
  );
  for (const exit of exits) expect(await exit).toEqual([0, null]);
  return migrated;
}

/** The rows of each table, in the columns that it has now. */
async function rowsAsNow({ db }: CloudDatabase) {
  const { rows: tables } = await sql<{ name: string; columns: string[] }>`
    select c.relname as name, array_agg(a.attname::text order by a.attname) as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and c.relname not like 'kysely%' group by 1 order by 1`.execute(db);
  return async () => {
    const all: Record<string, unknown> = {};
    for (const { name, columns } of tables) {
      const list = sql.join(columns.map((column) => sql`${sql.ref(column)}::text`));
      const { rows } = await sql`select ${list} from ${sql.table(name)} order by ${list}`.execute(db);
      all[name] = rows;
    }
    return all;
  };
}

async function opened(migration: string | undefined) {
  const at = await databaseAt(migration);
  onTestFinished(() => at.database.close());
  return at;
}

describe('migrations at the start of several processes at once', { timeout: 60_000 }, () => {
  it('are run by one of them on an empty database, and the others wait', async () => {
    const { connection, database } = await opened(undefined);
    const migrated = await startTogether(3, connection);
    expect(migrated.filter((list) => list.length > 0)).toEqual([names]);
    expect(await migrationsOf(database.db)).toEqual(names);
  });

  it('are run by one of them on the filled database of the release before', async () => {
    const { connection, database } = await opened(FIRST_RELEASE);
    await fill(database as never);
    const look = await rowsAsNow(database);
    const before = await look();
    const migrated = await startTogether(3, connection);
    expect(migrated.filter((list) => list.length > 0)).toEqual([names.slice(2)]);
    const after = (await look()) as Record<string, unknown[]>;
    // The built-in catalogue has joined what was there.
    const joined = new Set(['supported_components', 'metrics', 'device_pin_configs']);
    for (const [table, rows] of Object.entries(before))
      expect(after[table], table).toEqual(
        joined.has(table) ? expect.arrayContaining(rows as unknown[]) : rows,
      );
  });
});

describe('each migration', { timeout: 60_000 }, () => {
  it('keeps every row of a filled database, in every column that it had', async () => {
    const { database } = await opened(FIRST_RELEASE);
    await fill(database as never);
    for (const name of names.slice(2)) {
      const look = await rowsAsNow(database);
      const before = await look();
      await migrateTo(database, name);
      const after = await look();
      for (const table of Object.keys(before))
        expect(after[table], `${table} after ${name}`).toEqual(before[table]);
    }
  });

  it('0003 counts the addresses of accounts that were there as verified, and those that come later not', async () => {
    const { database } = await opened(FIRST_RELEASE);
    await fill(database as never);
    await migrateTo(database, '0003-accounts');
    await sql`insert into users (email, password_hash) values ('later@example.org', 'x')`.execute(
      database.db,
    );
    const { rows } = await sql`select email from users where email_verified_at is null`.execute(database.db);
    expect(rows).toEqual([{ email: 'later@example.org' }]);
  });

  it('0006 marks the readings that were there, so that they are rolled up too', async () => {
    const { database } = await opened('0005-keys');
    await fill(database as never);
    await migrateTo(database, '0006-telemetry');
    const { rows } = await sql`select distinct device_id, date_trunc('minute', time, 'UTC') as minute
      from telemetry_data order by 2`.execute(database.db);
    const { rows: marks } = await sql`select * from telemetry_touched order by 2`.execute(database.db);
    expect(marks).toEqual(rows);
    expect(marks.length).toBeGreaterThan(100);
  });
});

describe('a process of the release before', () => {
  it('starts on the tables of the next release and changes nothing', async () => {
    const { database } = await opened(names.at(-1));
    await sql`insert into kysely_migration values ('9999-of-the-next-release', 'now')`.execute(database.db);
    const before = await everythingIn(database);
    expect(await migrate(database.db)).toEqual([]);
    expect(await everythingIn(database)).toEqual(before);
  });

  it('refuses tables that are neither its own nor of the next release', async () => {
    const { database } = await opened(names.at(-2));
    await sql`insert into kysely_migration values ('9999-of-a-fork', 'now')`.execute(database.db);
    await expect(migrate(database.db)).rejects.toMatchObject({ code: 'TABLES_OF_ANOTHER_RELEASE' });
  });
});
