import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdministrator } from '../../src/accounts/administrator.ts';
import { createPasswordHasher } from '../../src/accounts/passwords.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
beforeAll(async () => {
  world = await httpWorld();
});
afterAll(() => world.close());

const create = (email: string) =>
  createAdministrator(
    { database: world.database, hasher: createPasswordHasher(), random: randomBytes },
    { email },
  );

describe('an administrator made by the operator', () => {
  it('can sign in with the password that was drawn, and administer', async () => {
    const { email, password } = await create('Root@Example.org');
    expect(email).toBe('root@example.org');
    expect(Buffer.from(password, 'base64url')).toHaveLength(15);
    const { account } = await world.accounts.login({ email, password, source: 'test' });
    expect(account.roles).toEqual(['prime_admin']);
    const audit = await world.database.db
      .selectFrom('audit_log')
      .where('object_id', '=', account.userUuid)
      .select(['action', 'detail'])
      .execute();
    expect(audit.map(({ action }) => action)).toEqual(['user.create-administrator', 'session.sign-in']);
    expect(JSON.stringify(audit)).not.toContain(password);
  });

  it('is never an account that exists: its maker may be signed in', async () => {
    const squatter = await world.person();
    await expect(create(squatter.email.toUpperCase())).rejects.toMatchObject({ code: 'EMAIL_TAKEN' });
    expect((await world.accounts.callerOf(squatter.accessToken))?.caller.roles).toEqual([]);
    await world.accounts.login({ email: squatter.email, password: 'correct horse battery', source: 'test' });
  });
});
