import { Migrator } from 'kysely/migration';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

async function migrateTo(name: string): Promise<void> {
  const provider = { getMigrations: async () => ({ ...migrations }) };
  const { error } = await new Migrator({ db: database.db, provider }).migrateTo(name);
  if (error !== undefined) throw error;
}

describe('a database with devices, viewers and rules', () => {
  it('keeps them through 0004, and who may see a device has a share that his owner can end', async () => {
    const { db } = database;
    await migrateTo('0003-accounts');
    const [owner, viewer] = await db
      .insertInto('users')
      .values(['owner@example.org', 'viewer@example.org'].map((email) => ({ email, password_hash: 'x' })))
      .returning('id')
      .execute();
    const variant = await db
      .insertInto('hardware_variants')
      .values({ hardware_version: 'pi-4', hardware_variant: 'greenhouse' })
      .returning('id')
      .executeTakeFirstOrThrow();
    const device = await db
      .insertInto('devices')
      .values({
        device_uuid: '0b8f6f6e-6c1c-4d0e-9a53-0d2f7f1c9a11',
        cpu_serial: 'abababab',
        hardware_variant_id: variant.id,
        nickname: 'Greenhouse',
        life_cycle: 'ACTIVE',
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const assignment = await db
      .insertInto('assignments')
      .values({ device_id: device.id, number: 1, user_id: owner!.id })
      .returning('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('assignment_viewers')
      .values({ assignment_id: assignment.id, user_id: viewer!.id })
      .execute();

    await migrateTo('0004-devices');
    const kept = await db
      .selectFrom('devices')
      .select(['nickname', 'life_cycle', 'version', 'life_cycle_before_block'])
      .executeTakeFirstOrThrow();
    expect(kept).toEqual({
      nickname: 'Greenhouse',
      life_cycle: 'ACTIVE',
      version: 1,
      life_cycle_before_block: null,
    });
    const shares = await db.selectFrom('shares').select(['id', 'assignment_id', 'email']).execute();
    expect(shares).toMatchObject([{ assignment_id: assignment.id, email: 'viewer@example.org' }]);

    // A process of the release before adds a viewer that it knows of, and sees those that it made.
    await db
      .insertInto('assignment_viewers')
      .values({ assignment_id: assignment.id, user_id: owner!.id })
      .execute();
    await db.deleteFrom('shares').where('id', '=', shares[0]!.id).execute();
    const left = await db.selectFrom('assignment_viewers').select('user_id').execute();
    expect(left).toEqual([{ user_id: owner!.id }]);
  });
});
