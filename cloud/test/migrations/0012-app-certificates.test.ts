import { randomUUID } from 'node:crypto';
import { Migrator } from 'kysely/migration';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { usePostgres } from '../../../test/support/postgres.ts';
import { openPgDatabase } from '../../src/adapters/pg-database.ts';
import { appRepository } from '../../src/apps/repository.ts';
import { migrations } from '../../src/migrations/index.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { silentLogger } from '../support/quiet.ts';

let database: CloudDatabase;
beforeAll(async () => {
  database = openPgDatabase({ connection: await usePostgres(), log: silentLogger });
});
afterAll(() => database.close());

it('0012 leaves accounts and sessions as they are, and apps of an account go with it', async () => {
  const { db } = database;
  const migrateTo = async (name: string) => {
    const provider = { getMigrations: async () => ({ ...migrations }) };
    const migrator = new Migrator({ db, provider, allowUnorderedMigrations: true });
    const { error } = await migrator.migrateTo(name);
    if (error !== undefined) throw error;
  };
  await migrateTo('0011-shares-by-address');
  const now = new Date();
  const { id: userId } = await db
    .insertInto('users')
    .values({ email: 'ada@example.org', password_hash: 'x' })
    .returning('id')
    .executeTakeFirstOrThrow();
  const sessionId = randomUUID();
  const later = new Date(now.getTime() + 3_600_000);
  await db
    .insertInto('sessions')
    .values({ id: sessionId, user_id: userId, created_at: now, last_used_at: now, expires_at: later })
    .execute();

  await migrateTo('0012-app-certificates');
  expect(await db.selectFrom('sessions').select('id').execute()).toEqual([{ id: sessionId }]);
  const add = (serial: string) =>
    appRepository.add(db, {
      appUuid: randomUUID(),
      userId,
      sessionId,
      serial,
      at: now,
      notAfter: later,
      admitted: true,
    });
  await add('01ab');
  await expect(add('01ab')).rejects.toThrow('serial');
  expect(await appRepository.running(db, now)).toMatchObject([
    { userEmail: 'ada@example.org', admitted: true },
  ]);
  await db.deleteFrom('users').where('id', '=', userId).execute();
  expect(await db.selectFrom('app_certificates').selectAll().execute()).toEqual([]);
});
