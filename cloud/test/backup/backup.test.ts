import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { usePostgres } from '../../../test/support/postgres.ts';
import { openPgDatabase } from '../../src/adapters/pg-database.ts';
import { backUp, restore } from '../../src/compose-backup.ts';
import { readConfig } from '../../src/config.ts';
import { rollUp } from '../../src/jobs/roll-up.ts';
import { migrations } from '../../src/migrations/index.ts';
import { databaseAt, everythingIn, fill, shapeOf } from '../support/filled-database.ts';
import { silentLogger } from '../support/quiet.ts';

type Connection = Awaited<ReturnType<typeof usePostgres>>;

const latest = Object.keys(migrations).sort().at(-1)!;
const signal = new AbortController().signal;

const urlOf = ({ host, port, user, password, database }: Connection) =>
  `postgres://${user}:${encodeURIComponent(password)}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;
const cloudOf = async (connection: Connection) =>
  readConfig('all', {
    ARES_HOME: await mkdtemp(join(tmpdir(), 'ares-backup-')),
    DATABASE_URL: urlOf(connection),
  });
const opened = (connection: Connection) => {
  const database = openPgDatabase({ connection, log: silentLogger });
  onTestFinished(() => database.close());
  return database;
};
/** What a database of nobody holds: it must be untouched. */
async function stranger(connection: Connection) {
  const database = openPgDatabase({ connection, log: silentLogger });
  const here = await everythingIn(database);
  await database.close();
  return here;
}

/** Versions of revocation lists are raised by a restore. */
const butForLists = ({ offline_revocations: _, ...others }: Awaited<ReturnType<typeof everythingIn>>) =>
  others;

let source: Connection;
let path: string;
let rows: Awaited<ReturnType<typeof everythingIn>>;
let shape: Awaited<ReturnType<typeof shapeOf>>;

beforeAll(async () => {
  const filled = await databaseAt(latest);
  await fill(filled.database as never);
  await rollUp(filled.database);
  await sql`insert into telemetry_touched values (2, now())`.execute(filled.database.db);
  source = filled.connection;
  rows = await everythingIn(filled.database);
  shape = await shapeOf(filled.database);
  await filled.database.close();
  const config = await cloudOf(source);
  path = join(config.home, '..', 'a.tar.zst');
  await mkdir(join(config.home, 'secrets'), { recursive: true });
  await mkdir(join(config.home, 'ca'));
  await writeFile(join(config.home, 'secrets', 'challenge-key'), randomBytes(40));
  await writeFile(join(config.home, 'ca', 'root.pem'), 'root');
  await backUp(config, { path, withSecrets: true, signal });
}, 60_000);

describe('a backup', { timeout: 60_000 }, () => {
  it('restores everything that was there, to the last bit, and the cloud goes on counting', async () => {
    const connection = await usePostgres();
    const config = await cloudOf(connection);
    const { manifest } = await restore(config, { path, force: false });
    const database = opened(connection);
    expect(butForLists(await everythingIn(database))).toEqual(butForLists(rows));
    expect(await shapeOf(database)).toEqual(shape);
    expect(manifest.tables.map(({ name }) => name)).toEqual(
      Object.keys(rows).filter((name) => !/^(telemetry_\w+_\d{8}|\(sequences\))$/.test(name)),
    );
    // As at the next start and the next claim.
    await sql`insert into users (email, password_hash) values ('third@example.org', 'x')`.execute(
      database.db,
    );
    const { rows: third } = await sql`select id from users where email = 'third@example.org'`.execute(
      database.db,
    );
    expect(third).toEqual([{ id: 3 }]);
    expect(await readFile(join(config.home, 'ca', 'root.pem'), 'utf8')).toBe('root');
    expect(await readdir(config.home)).toEqual(['ca', 'secrets']);
  });

  it('TOK-03 is restored with revocation lists ahead of what devices saw after it was made', async () => {
    const connection = await usePostgres();
    const restoredAt = Date.now();
    await restore(await cloudOf(connection), { path, force: false });
    const { rows: versions } = await sql<{ version: string | null }>`select r.version from devices d
      left join offline_revocations r on r.device_id = d.id`.execute(opened(connection).db);
    expect(versions.length).toBeGreaterThan(0);
    for (const { version } of versions) expect(Number(version)).toBeGreaterThanOrEqual(restoredAt);
  });

  it('is a private file that common tools read and check', async () => {
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const folder = await mkdtemp(join(tmpdir(), 'ares-untar-'));
    execFileSync('sh', ['-c', `zstd -dqc "${path}" | tar -x -C "${folder}"`]);
    expect(execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: folder }).toString()).toBe('');
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as { format: number };
    expect(manifest.format).toBe(1);
  });

  it('is of one moment, whatever is written while it is made', async () => {
    const filled = await databaseAt(latest);
    onTestFinished(() => filled.database.close());
    await sql`create table pairs (n int)`.execute(filled.database.db);
    await sql`create table twins (n int)`.execute(filled.database.db);
    let over = false;
    const writing = (async () => {
      for (let n = 0; !over; n += 1)
        await sql`with one as (insert into pairs values (${n}::int)) insert into twins values (${n}::int)`.execute(
          filled.database.db,
        );
    })();
    const config = await cloudOf(filled.connection);
    const made = join(config.home, '..', 'b.tar.zst');
    const manifest = await backUp(config, { path: made, withSecrets: false, signal });
    over = true;
    await writing;
    const rowsOf = (name: string) => manifest.tables.find((table) => table.name === name)!.rows;
    expect(rowsOf('pairs')).toBe(rowsOf('twins'));
  });

  it('made by an earlier release is restored as it was and brought up to date', async () => {
    const filled = await databaseAt('0002-wifi-changes');
    await fill(filled.database as never);
    await filled.database.close();
    const config = await cloudOf(filled.connection);
    const made = join(config.home, '..', 'c.tar.zst');
    await backUp(config, { path: made, withSecrets: false, signal });
    const connection = await usePostgres();
    await restore(await cloudOf(connection), { path: made, force: false });
    const database = opened(connection);
    const { rows: users } = await sql<{ n: number }>`select count(*)::int as n from users`.execute(
      database.db,
    );
    expect(users[0]!.n).toBe(2);
    const { rows: done } = await sql`select name from kysely_migration`.execute(database.db);
    expect(done).toHaveLength(Object.keys(migrations).length);
  });
});

describe('refusing to restore', { timeout: 60_000 }, () => {
  it('what was cut or changed anywhere, with nothing half-written', async () => {
    const whole = await readFile(path);
    const connection = await usePostgres();
    const config = await cloudOf(connection);
    const bad = join(config.home, '..', 'bad.tar.zst');
    const cuts = [0, 1, 100, whole.length >> 1, whole.length - 100, whole.length - 30, whole.length - 1];
    for (const length of cuts) {
      await writeFile(bad, whole.subarray(0, length));
      await expect(restore(config, { path: bad, force: true }), `${length}`).rejects.toMatchObject({
        code: 'BACKUP_DAMAGED',
      });
    }
    for (let at = 5; at < whole.length; at += Math.ceil(whole.length / 25)) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 0x10;
      await writeFile(bad, flipped);
      await expect(restore(config, { path: bad, force: true }), `${at}`).rejects.toMatchObject({
        code: 'BACKUP_DAMAGED',
      });
    }
    expect(await stranger(connection)).toEqual({ '(sequences)': [] });
    await expect(readdir(join(config.home, 'secrets'))).rejects.toThrow();
  });

  it('into a database or folder that holds something, unless told to, and over a running cloud never', async () => {
    const filled = await databaseAt(latest);
    await fill(filled.database as never);
    const before = await everythingIn(filled.database);
    const config = await cloudOf(filled.connection);
    await expect(restore(config, { path, force: true })).rejects.toMatchObject({ code: 'IN_USE' });
    await filled.database.close();
    await expect(restore(config, { path, force: false })).rejects.toMatchObject({ code: 'NOT_EMPTY' });
    expect(await stranger(filled.connection)).toEqual(before);

    const empty = await usePostgres();
    const withFolder = await cloudOf(empty);
    await mkdir(join(withFolder.home, 'secrets'), { recursive: true });
    await writeFile(join(withFolder.home, 'secrets', 'mine'), 'mine');
    await expect(restore(withFolder, { path, force: false })).rejects.toMatchObject({ code: 'NOT_EMPTY' });
    expect(await stranger(empty)).toEqual({ '(sequences)': [] });

    await restore(config, { path, force: true });
    expect(butForLists(await stranger(filled.connection))).toEqual(butForLists(rows));
    const { replaced } = await restore(withFolder, { path, force: true });
    expect(await readFile(join(withFolder.home, replaced[0]!, 'mine'), 'utf8')).toBe('mine');
  });

  it('and to write over a file or into a folder that cannot be written', async () => {
    const config = await cloudOf(source);
    await expect(backUp(config, { path, withSecrets: false, signal })).rejects.toMatchObject({
      code: 'FILE',
    });
    const folder = await mkdtemp(join(tmpdir(), 'ares-closed-'));
    await chmod(folder, 0o500);
    const missing = join(folder, 'no', 'a.tar.zst');
    await expect(backUp(config, { path: missing, withSecrets: false, signal })).rejects.toMatchObject({
      code: 'FILE',
    });
    await expect(restore(config, { path: missing, force: false })).rejects.toMatchObject({ code: 'FILE' });
  });
});
