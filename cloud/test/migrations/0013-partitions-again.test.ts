import { sql } from 'kysely';
import { afterEach, expect, it } from 'vitest';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { databaseAt, fill, migrateTo } from '../support/filled-database.ts';

let database: CloudDatabase;
afterEach(() => database.close());

it('0013 finds the place again of a partition of a filled database that was taken out', async () => {
  ({ database } = await databaseAt('0012-app-certificates'));
  const { db } = database;
  await fill(database as never);
  const count = async () =>
    (await sql<{ n: number }>`select count(*)::int as n from telemetry_data`.execute(db)).rows[0]?.n;
  const before = await count();
  const today = new Date().toISOString().slice(0, 10);
  const name = sql.table(`telemetry_data_${today.replaceAll('-', '')}`);
  await sql`alter table telemetry_data detach partition ${name}`.execute(db);
  const make = sql`select ensure_telemetry_partition(${today}::date)`;
  await make.execute(db);
  expect(await count()).toBeLessThan(before ?? 0);
  await migrateTo(database, '0013-partitions-again');
  await make.execute(db);
  expect(await count()).toBe(before);
});
