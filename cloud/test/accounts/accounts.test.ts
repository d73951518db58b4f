import { base64url, importJWK, SignJWT, UnsecuredJWT } from 'jose';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessKeyName, createAccessTokens } from '../../src/accounts/access-tokens.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
beforeAll(async () => {
  world = await httpWorld();
});
afterAll(() => world.close());

const post = (path: string, body: unknown) =>
  fetch(`${world.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const me = (accessToken: string) =>
  fetch(`${world.url}/api/users/me`, { headers: { authorization: `Bearer ${accessToken}` } });
const code = async (response: Response) => ((await response.json()) as { code: string }).code;

describe('an account', () => {
  it('is made, signed in to, and says who it is', async () => {
    const made = await post('/auth/register', { email: 'Ada@Example.org', password: 'tomatoes and basil' });
    expect(made.status).toBe(201);
    const session = (await post('/auth/login', {
      email: ' ada@example.ORG',
      password: 'tomatoes and basil',
    })) as Response;
    const { accessToken, expiresInSeconds, user } = (await session.json()) as {
      accessToken: string;
      expiresInSeconds: number;
      user: { email: string };
    };
    expect(expiresInSeconds).toBe(900);
    expect(user.email).toBe('ada@example.org');
    expect(await (await me(accessToken)).json()).toEqual(user);
    expect(JSON.stringify(user)).not.toMatch(/argon2|password/i);
  });

  it('is one however its e-mail is spelled', async () => {
    await post('/auth/register', { email: 'grace@example.org', password: 'tomatoes and basil' });
    const again = await post('/auth/register', {
      email: 'GRACE@example.org',
      password: 'tomatoes and basil',
    });
    expect(again.status).toBe(409);
    expect(await code(again)).toBe('EMAIL_TAKEN');
  });

  it('is made once of 10 requests in the same moment', async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, () =>
        post('/auth/register', { email: 'race@example.org', password: 'tomatoes and basil' }),
      ),
    );
    expect(all.map(({ status }) => status).toSorted()).toEqual([201, ...Array<number>(9).fill(409)]);
  });

  it('may have an e-mail with + / # and letters beyond ASCII', async () => {
    for (const email of ['a+b/c#d@example.org', 'müller@exämple.de']) {
      expect((await post('/auth/register', { email, password: 'tomatoes and basil' })).status, email).toBe(
        201,
      );
    }
  });

  it.each(['', 'x', 'a@', '@b', 'a b@c.de', 'a@b@c.de', 'a\n@b.de', `${'x'.repeat(250)}@b.de`])(
    'has no e-mail like "%.20s"',
    async (email) =>
      expect((await post('/auth/register', { email, password: 'tomatoes and basil' })).status).toBe(400),
  );

  it('has a password of at least ten characters', async () => {
    expect((await post('/auth/register', { email: 'short@example.org', password: '123456789' })).status).toBe(
      400,
    );
  });

  it.each([{ password_hash: 'another' }, { suspended_at: new Date() }, { deleted_at: new Date() }])(
    'API-02 opens no session by a password that was looked at a moment before %j',
    async (change) => {
      const { email, userId } = await world.person();
      const { db } = world.database;
      const waits = async () => {
        const { rows } = await sql`select from pg_locks where not granted`.execute(db);
        return rows.length > 0;
      };
      let answer: Promise<Response> | undefined;
      let answered = false;
      await db.transaction().execute(async (trx) => {
        await trx.updateTable('users').set(change).where('id', '=', userId).execute();
        answer = post('/auth/login', { email, password: 'correct horse battery' });
        answer.finally(() => (answered = true)).catch(() => undefined);
        // Until it waits for this transaction, or has not waited.
        await expect.poll(async () => answered || (await waits()), { timeout: 10_000 }).toBe(true);
      });
      expect((await answer!).status).toBe(401);
    },
  );

  it('is not reachable when it is suspended, also with a token from before', async () => {
    const person = await world.person();
    expect((await me(person.accessToken)).status).toBe(200);
    await world.database.db
      .updateTable('users')
      .set({ suspended_at: new Date() })
      .where('id', '=', person.userId)
      .execute();
    expect((await me(person.accessToken)).status).toBe(401);
    const login = await post('/auth/login', { email: person.email, password: 'correct horse battery' });
    expect(login.status).toBe(401);
  });

  it('loses a role at once, also with a token from before', async () => {
    const admin = await world.person(['prime_admin']);
    expect((await admin.client.listDevices()).items).toBeInstanceOf(Array);
    await world.database.db.deleteFrom('user_roles').where('user_id', '=', admin.userId).execute();
    await expect(admin.client.preregister({ body: {} as never })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });
});

describe('an account made by an operator', () => {
  const wanted = { email: 'Boss@example.org', password: 'first password', roles: ['prime_admin'] as const };

  it('is there afterwards, once, with password and roles as wanted', async () => {
    await world.accounts.ensureAccount(wanted);
    const { userUuid } = await world.accounts.ensureAccount({ ...wanted, roles: ['developer'] });
    await world.accounts.ensureAccount({ ...wanted, password: 'second password', roles: [] });
    expect(
      (await post('/auth/login', { email: 'boss@example.org', password: 'first password' })).status,
    ).toBe(401);
    const login = await post('/auth/login', { email: 'boss@example.org', password: 'second password' });
    expect(await login.json()).toMatchObject({
      user: { userId: userUuid, roles: ['developer', 'prime_admin'] },
    });
  });

  it('changes nothing when it is as wanted: no new hash, no audit row', async () => {
    const count = () =>
      world.database.db
        .selectFrom('audit_log')
        .select((column) => column.fn.countAll<number>().as('rows'))
        .executeTakeFirstOrThrow();
    const same = { email: 'same@example.org', password: 'first password', roles: [] };
    await world.accounts.ensureAccount(same);
    const before = await count();
    await world.accounts.ensureAccount(same);
    expect(await count()).toEqual(before);
  });
});

describe('refusing access tokens', () => {
  const sign = async (claims: Record<string, unknown>, header: Record<string, unknown> = {}) => {
    const { privateJwk, kid } = await world.secrets.keyPair(accessKeyName(world.clock.now()));
    return new SignJWT({
      iss: 'urn:ares:installation:test',
      aud: 'urn:ares:installation:test:api',
      iat: Math.floor(world.clock.now() / 1_000),
      exp: Math.floor(world.clock.now() / 1_000) + 60,
      ...claims,
    })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header })
      .sign(await importJWK(privateJwk, 'EdDSA'));
  };

  it('accepts the one that these tests vary', async () => {
    const { userUuid, caller } = await world.person();
    expect((await me(await sign({ sub: userUuid, sid: caller.sessionId }))).status).toBe(200);
  });

  it.each([
    ['expired', { exp: 1_000 }, {}],
    ['without an end', { exp: undefined }, {}],
    ['of another issuer', { iss: 'urn:ares:installation:staging' }, {}],
    ['for another audience', { aud: 'somebody else' }, {}],
    ['of another kind', {}, { typ: 'command+jwt' }],
    ['of nobody', { sub: undefined }, {}],
    ['of no session', { sid: undefined }, {}],
    ['of an unknown session', { sid: '00000000-0000-4000-8000-000000000000' }, {}],
    ['under a key that is not published', {}, { kid: 'another' }],
    ['of somebody unknown', { sub: '00000000-0000-4000-8000-000000000000' }, {}],
    ['with SQL for a subject', { sub: "' or 1=1 --" }, {}],
  ])('%s', async (_, claims, header) => {
    const { userUuid, caller } = await world.person();
    const token = await sign({ sub: userUuid, sid: caller.sessionId, ...claims }, header);
    expect((await me(token)).status).toBe(401);
  });

  it('API-02 of another environment with the same keys', async () => {
    const elsewhere = createAccessTokens({
      secrets: world.secrets,
      clock: world.clock,
      installationId: 'staging',
    });
    const { userUuid, caller } = await world.person();
    const { accessToken } = await elsewhere.issue(userUuid, caller.sessionId!);
    expect((await me(accessToken)).status).toBe(401);
  });

  it('API-02 without a signature, by HS256 with the public key, and altered', async () => {
    const { userUuid, caller, accessToken } = await world.person();
    const { publicJwk } = await world.secrets.keyPair(accessKeyName(world.clock.now()));
    const claims = {
      sub: userUuid,
      sid: caller.sessionId,
      iss: 'urn:ares:installation:test',
      aud: 'urn:ares:installation:test:api',
    };
    const none = new UnsecuredJWT(claims).setIssuedAt().setExpirationTime('1h').encode();
    const confused = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(base64url.decode(publicJwk.x));
    const [header, payload, signature] = accessToken.split('.') as [string, string, string];
    const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
    for (const token of [none, confused, `${header}.${payload}.${flipped}`, `${header}.${payload}.`]) {
      expect((await me(token)).status).toBe(401);
    }
  });

  it('API-02 a quarter of an hour after it was issued', async () => {
    const { accessToken } = await world.person();
    world.clock.advance(900_000);
    expect((await me(accessToken)).status).toBe(401);
  });
});

describe('API-02 guessing passwords', () => {
  it('answers 429 after ten wrong ones of fifty at once, and the owner elsewhere still gets in', async () => {
    const { email } = await world.person();
    const tries = await Promise.all(
      Array.from({ length: 50 }, (_, n) => post('/auth/login', { email, password: `guess ${n}` })),
    );
    const statuses = tries.map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(40);
    expect(Number(tries.find(({ status }) => status === 429)?.headers.get('retry-after'))).toBeGreaterThan(0);
    const elsewhere = await world.accounts.login({
      email,
      password: 'correct horse battery',
      source: '192.0.2.7',
    });
    expect(elsewhere.account.email).toBe(email);
  });

  it('from many addresses is bounded for each e-mail', async () => {
    const bounded = await httpWorld({ accounts: { failuresPerEmail: { points: 5, seconds: 60 } } });
    const { email } = await bounded.person();
    const guess = (n: number) =>
      bounded.accounts
        .login({ email, password: 'wrong', source: `192.0.2.${n}` })
        .catch((error: { code: string }) => error.code);
    const codes = await Promise.all(Array.from({ length: 8 }, (_, n) => guess(n)));
    expect(codes.filter((one) => one === 'BAD_CREDENTIALS')).toHaveLength(5);
    expect(codes.filter((one) => one === 'TOO_MANY_REQUESTS')).toHaveLength(3);
    await bounded.close();
  });

  it('tells an unknown e-mail from a wrong password in nothing', async () => {
    const { email } = await world.person();
    const known = await post('/auth/login', { email, password: 'wrong' });
    const unknown = await post('/auth/login', { email: 'nobody@example.org', password: 'wrong' });
    const strip = async (response: Response) => ({
      ...((await response.json()) as object),
      requestId: undefined,
    });
    expect([known.status, unknown.status]).toEqual([401, 401]);
    expect(await strip(known)).toEqual(await strip(unknown));
  });
});
