import type { Client } from '@ares/protocol/http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

type Person = Awaited<ReturnType<HttpWorld['person']>>;

let world: HttpWorld;
let prime: Person;
let general: Person;
beforeAll(async () => {
  world = await httpWorld();
  prime = await world.person(['prime_admin']);
  general = await world.person(['general_admin']);
});
afterAll(() => world.close());

const params = ({ userUuid }: Pick<Person, 'userUuid'>) => ({ params: { userId: userUuid } });
const code = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: { code: string }) => error.code,
  );
const emailsOf = async (client: Client, query: Parameters<Client['listUsers']>[0]) =>
  (await client.listUsers(query)).items.map(({ email }) => email);

describe('the list of users', () => {
  it('is filtered by part of the e-mail, role and suspension', async () => {
    const marked = await world.person(['developer']);
    const part = marked.email.slice(0, 13);
    expect(await emailsOf(general.client, { query: { email: part.toUpperCase() } })).toEqual([marked.email]);
    expect(await emailsOf(general.client, { query: { role: 'developer' } })).toContain(marked.email);
    expect(await emailsOf(general.client, { query: { role: 'developer' } })).not.toContain(prime.email);
    await general.client.suspendUser(params(marked));
    expect(await emailsOf(general.client, { query: { suspended: 'true' } })).toContain(marked.email);
    expect(await emailsOf(general.client, { query: { suspended: 'false' } })).not.toContain(marked.email);
  });

  it('takes % and _ of an address as they are', async () => {
    expect(await emailsOf(general.client, { query: { email: '%@%' } })).toEqual([]);
  });

  it.each(['email', '-email', 'createdAt', '-createdAt'] as const)(
    'goes page by page in the order %s, each account once',
    async (sort) => {
      await Promise.all(Array.from({ length: 5 }, () => world.person()));
      const whole = await general.client.listUsers({ query: { sort, limit: 200 } });
      const paged: string[] = [];
      let cursor: string | undefined;
      do {
        const { items, nextCursor } = await general.client.listUsers({ query: { sort, limit: 3, cursor } });
        paged.push(...items.map(({ email }) => email));
        cursor = nextCursor ?? undefined;
      } while (cursor !== undefined);
      expect(paged).toEqual(whole.items.map(({ email }) => email));
      const key = sort.endsWith('email') ? 'email' : 'createdAt';
      const keys = whole.items.map((item) => item[key]);
      expect(keys).toEqual(sort.startsWith('-') ? keys.toSorted().toReversed() : keys.toSorted());
    },
  );

  it('refuses the cursor of another order, or of nothing', async () => {
    const { nextCursor } = await general.client.listUsers({ query: { sort: 'email', limit: 1 } });
    for (const cursor of [nextCursor!, 'nonsense', btoa('["createdAt","yesterday",1]')]) {
      expect(await code(general.client.listUsers({ query: { sort: 'createdAt', cursor } }))).toBe(
        'INVALID_REQUEST',
      );
    }
  });
});

describe('an account made by an administrator', () => {
  it('is opened by the code that its owner is mailed, which verifies the address too', async () => {
    const email = 'invited@example.org';
    const made = await general.client.createUser({ body: { email, displayName: 'Invited' } });
    expect(made).toMatchObject({ email, displayName: 'Invited', emailVerified: false, devices: 0 });
    const shown = { email, code: await world.parts.codeFor(email), password: 'chosen by its owner' };
    await general.client.resetPassword({ body: shown });
    const session = await general.client.login({ body: { email, password: 'chosen by its owner' } });
    expect(session.user.emailVerified).toBe(true);
  });

  it('may have a password from the start, but none of the commonest', async () => {
    const body = { email: 'ready@example.org', password: 'given by the administrator' };
    await general.client.createUser({ body });
    expect((await general.client.login({ body })).user.emailVerified).toBe(true);
    const common = { email: 'common@example.org', password: 'password123' };
    expect(await code(general.client.createUser({ body: common }))).toBe('INVALID_REQUEST');
    expect(await code(general.client.createUser({ body }))).toBe('EMAIL_TAKEN');
  });

  it('is edited by administrators', async () => {
    const person = await world.person();
    const body = { displayName: 'Renamed', timeZone: 'Asia/Tokyo' };
    expect(await general.client.updateUser({ ...params(person), body })).toMatchObject(body);
  });
});

describe('suspending an account', () => {
  it('ends its sessions at once, in the audit log too, and can be taken back', async () => {
    const person = await world.person();
    await general.client.suspendUser(params(person));
    expect(await code(person.client.me())).toBe('AUTHENTICATION_REQUIRED');
    expect(await code(person.client.refresh({ body: { refreshToken: person.refreshToken } }))).toBe(
      'TOKEN_INVALID',
    );
    await general.client.unsuspendUser(params(person));
    // What ended stays ended.
    expect(await code(person.client.me())).toBe('AUTHENTICATION_REQUIRED');
    const body = { email: person.email, password: 'correct horse battery' };
    expect((await person.client.login({ body })).user.email).toBe(person.email);
    const rows = await world.database.db
      .selectFrom('audit_log')
      .where('object_id', '=', person.userUuid)
      .where('actor_user_id', '=', general.userId)
      .select('action')
      .orderBy('id')
      .execute();
    expect(rows.map(({ action }) => action)).toEqual(['user.suspend', 'user.unsuspend']);
  });

  it('ends its open streams within a moment', async () => {
    const streaming = await httpWorld({
      handlers: {
        events: async ({ signal }) => ({
          status: 200,
          stream: (async function* () {
            yield ': begun\n\n';
            await new Promise((done) => signal.addEventListener('abort', done));
          })(),
        }),
      },
    });
    const person = await streaming.person();
    const admin = await streaming.person(['prime_admin']);
    const response = await fetch(`${streaming.url}/api/events`, {
      headers: { authorization: `Bearer ${person.accessToken}` },
    });
    const reading = response.text().catch(() => 'cut');
    await admin.client.suspendUser(params(person));
    const outcome = await Promise.race([
      reading,
      new Promise((late) => setTimeout(() => late('still open'), 2_000)),
    ]);
    expect(outcome).not.toBe('still open');
    await streaming.close();
  });
});

describe('roles', () => {
  it('are given and taken, with effect at once', async () => {
    const person = await world.person();
    const developer = { params: { userId: person.userUuid, role: 'developer' } };
    expect((await general.client.grantRole(developer)).roles).toEqual(['developer']);
    expect((await person.client.me()).roles).toEqual(['developer']);
    expect((await general.client.takeRole(developer)).roles).toEqual([]);
  });

  it('API-05 of administrators are for prime administrators to give and take', async () => {
    const person = await world.person();
    for (const role of ['general_admin', 'prime_admin']) {
      const on = { params: { userId: person.userUuid, role } };
      expect(await code(general.client.grantRole(on)), role).toBe('FORBIDDEN');
      expect(await code(prime.client.grantRole(on)), role).toBe('done');
      expect(await code(general.client.takeRole(on)), role).toBe('FORBIDDEN');
    }
    const body = { email: 'climber@example.org', roles: ['prime_admin' as const] };
    expect(await code(general.client.createUser({ body }))).toBe('FORBIDDEN');
  });

  it('API-05 keep a general administrator from another administrator’s account', async () => {
    const other = await world.person(['general_admin']);
    expect(await code(general.client.suspendUser(params(prime)))).toBe('FORBIDDEN');
    expect(await code(general.client.updateUser({ ...params(other), body: { displayName: 'x' } }))).toBe(
      'FORBIDDEN',
    );
  });

  it('are unknown for accounts that do not exist', async () => {
    const on = params({ userUuid: '00000000-0000-4000-8000-000000000000' });
    expect(await code(prime.client.getUser(on))).toBe('NOT_FOUND');
    expect(await code(prime.client.suspendUser(on))).toBe('NOT_FOUND');
  });
});

describe('the last prime administrator', () => {
  it('cannot be suspended, lose the role, or delete himself, whoever asks', async () => {
    const alone = await httpWorld();
    const last = await alone.person(['prime_admin']);
    const role = { params: { userId: last.userUuid, role: 'prime_admin' } };
    const password = 'correct horse battery';
    expect(await code(last.client.takeRole(role))).toBe('LAST_ADMINISTRATOR');
    expect(await code(last.client.suspendUser(params(last)))).toBe('LAST_ADMINISTRATOR');
    expect(await code(last.client.deleteMe({ body: { password } }))).toBe('LAST_ADMINISTRATOR');
    const second = await alone.person(['prime_admin']);
    await last.client.suspendUser(params(second));
    expect(await code(last.client.deleteMe({ body: { password } }))).toBe('LAST_ADMINISTRATOR');
    await last.client.unsuspendUser(params(second));
    expect(await code(last.client.deleteMe({ body: { password } }))).toBe('done');
    await alone.close();
  });

  it('is left when two take each other’s role in the same moment', async () => {
    const two = await httpWorld();
    const [a, b] = [await two.person(['prime_admin']), await two.person(['prime_admin'])];
    // Both were let in as prime administrators a moment ago.
    const take = (by: Person, from: Person) =>
      code(
        two.parts.administration.takeRole(
          { caller: by.caller, userUuid: from.userUuid, source: 'test' },
          'prime_admin',
        ),
      );
    for (let round = 0; round < 10; round += 1) {
      const codes = await Promise.all([take(a, b), take(b, a)]);
      expect(codes.toSorted()).toEqual(['LAST_ADMINISTRATOR', 'done']);
      for (const { email } of [a, b]) {
        await two.accounts.ensureAccount({
          email,
          password: 'correct horse battery',
          roles: ['prime_admin'],
        });
      }
    }
    await two.close();
  });
});
