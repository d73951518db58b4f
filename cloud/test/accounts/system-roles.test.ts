import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initializeRoles } from '../../src/accounts/system-roles.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
beforeAll(async () => {
  world = await httpWorld();
}, 60_000);
afterAll(() => world?.close());

describe('the system roles', () => {
  it('are all there after the tables were made, and stay as they are', async () => {
    await world.person(['developer']);
    const first = await initializeRoles(world.database);
    expect(first).toEqual([
      { name: 'prime_admin', made: false, holders: 0 },
      { name: 'general_admin', made: false, holders: 0 },
      { name: 'developer', made: false, holders: 1 },
    ]);
    expect(await initializeRoles(world.database)).toEqual(first);
  });

  it('are made again where one is missing, once, which is audited', async () => {
    const { db } = world.database;
    await db.deleteFrom('roles').where('name', '=', 'general_admin').execute();
    const made = async () => (await initializeRoles(world.database)).filter((role) => role.made);
    expect(await made()).toEqual([{ name: 'general_admin', made: true, holders: 0 }]);
    expect(await made()).toEqual([]);
    const audit = await db
      .selectFrom('audit_log')
      .select(['action', 'object_id'])
      .where('object_type', '=', 'role')
      .execute();
    expect(audit).toEqual([{ action: 'role.make', object_id: 'general_admin' }]);
    // It works as before.
    const { client } = await world.person(['general_admin']);
    expect((await client.listAlerts()).items).toEqual([]);
  });
});
