import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { usePostgres } from '../../../test/support/postgres.ts';
import { openPgDatabase } from '../../src/adapters/pg-database.ts';
import { migrations } from '../../src/migrations/index.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { silentLogger } from '../support/quiet.ts';

let database: CloudDatabase;
beforeAll(async () => {
  database = openPgDatabase({ connection: await usePostgres(), log: silentLogger });
});
afterAll(() => database.close());

it('a cloud that has devices and owners already gets keys and tokens, and its lists begin at the next change', async () => {
  const { db } = database;
  const older = Object.entries(migrations).filter(([name]) => name < '0005');
  const release = new Migrator({ db, provider: { getMigrations: async () => Object.fromEntries(older) } });
  expect((await release.migrateToLatest()).error).toBeUndefined();
  await sql`insert into users (email, password_hash) values ('a@example.org', 'x')`.execute(db);
  await sql`insert into hardware_variants (hardware_version, hardware_variant) values ('sim-1', 'x')`.execute(
    db,
  );
  await sql`insert into devices (device_uuid, cpu_serial, hardware_variant_id, life_cycle)
    values (${randomUUID()}, '0000000000000001', 1, 'ACTIVE')`.execute(db);
  await sql`insert into assignments (device_id, number, user_id) values (1, 1, 1)`.execute(db);

  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
  expect((await migrator.migrateToLatest()).error).toBeUndefined();
  const versions = async () =>
    (await db.selectFrom('offline_revocations').select('version').execute()).map(({ version }) => version);
  expect(await versions()).toEqual([]);
  const before = Date.now();
  // As a replica of the release before writes it.
  await sql`update assignments set ended_at = now() where id = 1`.execute(db);
  const [first] = await versions();
  expect(first).toBeGreaterThanOrEqual(before);
  await sql`insert into assignments (device_id, number, user_id) values (1, 2, 1)`.execute(db);
  const [second] = await versions();
  expect(second).toBeGreaterThan(first!);
  // A backup of a year ago, restored: the next change is ahead of everything that devices have seen.
  await sql`update offline_revocations set version = 7`.execute(db);
  await sql`select raise_offline_revocations(id) from devices`.execute(db);
  expect((await versions())[0]).toBeGreaterThan(second!);
});
