import { createHash } from 'node:crypto';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

const DAY_MS = 86_400_000;

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
const refresh = (refreshToken: string) => post('/auth/refresh', { refreshToken });
const renewed = async (refreshToken: string) => {
  const answer = await refresh(refreshToken);
  expect(answer.status).toBe(200);
  return (await answer.json()) as { accessToken: string; refreshToken: string };
};
const meStatus = async (accessToken: string) =>
  (await fetch(`${world.url}/api/users/me`, { headers: { authorization: `Bearer ${accessToken}` } })).status;
const audited = async (objectId: string) =>
  (
    await world.database.db
      .selectFrom('audit_log')
      .where('object_id', '=', objectId)
      .select('action')
      .orderBy('id')
      .execute()
  ).map(({ action }) => action);

describe('a session', () => {
  it('goes on by refresh tokens, each for one use, of which the table holds only hashes', async () => {
    const { refreshToken, email } = await world.person();
    const first = await renewed(refreshToken);
    const second = await renewed(first.refreshToken);
    expect(await meStatus(second.accessToken)).toBe(200);
    expect(second).toMatchObject({ tokenType: 'Bearer', expiresInSeconds: 900, user: { email } });
    expect(new Set([refreshToken, first.refreshToken, second.refreshToken]).size).toBe(3);
    const rows = await world.database.db.selectFrom('refresh_tokens').select('token_hash').execute();
    const hashes = rows.map(({ token_hash }) => token_hash.toString('hex'));
    expect(hashes).toContain(createHash('sha256').update(second.refreshToken).digest('hex'));
    expect(hashes).not.toContain(Buffer.from(second.refreshToken).toString('hex'));
  });

  it('ends thirty days after its last use', async () => {
    const used = await world.person();
    const idle = await world.person();
    world.clock.advance(20 * DAY_MS);
    const { refreshToken } = await renewed(used.refreshToken);
    world.clock.advance(11 * DAY_MS);
    expect((await refresh(idle.refreshToken)).status).toBe(401);
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  it('ends after a year, however much it is used', async () => {
    let { refreshToken } = await world.person();
    for (let day = 0; day < 364; day += 28) {
      refreshToken = (await renewed(refreshToken)).refreshToken;
      world.clock.advance(28 * DAY_MS);
    }
    world.clock.advance(2 * DAY_MS);
    expect((await refresh(refreshToken)).status).toBe(401);
  });

  it('is over at once after signing out, with all its tokens and no other session', async () => {
    const { accessToken, refreshToken, email, userUuid } = await world.person();
    const other = await post('/auth/login', { email, password: 'correct horse battery' });
    const { accessToken: elsewhere } = (await other.json()) as { accessToken: string };
    expect((await post('/auth/logout', { refreshToken })).status).toBe(204);
    expect(await meStatus(accessToken)).toBe(401);
    expect((await refresh(refreshToken)).status).toBe(401);
    expect(await meStatus(elsewhere)).toBe(200);
    expect(await audited(userUuid)).toContain('session.sign-out');
  });

  it('is signed out of twice, or with a token that never was, with the same answer', async () => {
    const { refreshToken } = await world.person();
    for (const token of [refreshToken, refreshToken, 'never was one']) {
      expect((await post('/auth/logout', { refreshToken: token })).status).toBe(204);
    }
  });
});

describe('API-02 a refresh token that is used twice', () => {
  it('ends the session: neither the thief nor the owner goes on', async () => {
    const { refreshToken: stolen, accessToken, userUuid } = await world.person();
    const owner = await renewed(stolen);
    world.clock.advance(31_000);
    expect((await refresh(stolen)).status).toBe(401);
    expect((await refresh(owner.refreshToken)).status).toBe(401);
    expect(await meStatus(owner.accessToken)).toBe(401);
    expect(await meStatus(accessToken)).toBe(401);
    expect(await audited(userUuid)).toContain('session.reuse');
  });

  it('is answered again for half a minute, as an answer may get lost', async () => {
    const { refreshToken } = await world.person();
    await renewed(refreshToken);
    world.clock.advance(20_000);
    const again = await renewed(refreshToken);
    expect(await meStatus((await renewed(again.refreshToken)).accessToken)).toBe(200);
  });

  it('also in that half minute lets only one of two go on', async () => {
    const { refreshToken } = await world.person();
    const owner = await renewed(refreshToken);
    const thief = await renewed(refreshToken);
    const going = await renewed(thief.refreshToken);
    expect((await refresh(owner.refreshToken)).status).toBe(401);
    expect((await refresh(going.refreshToken)).status).toBe(401);
  });

  it('is refused in that half minute once an answer to it was used', async () => {
    const { refreshToken } = await world.person();
    const next = await renewed(refreshToken);
    const after = await renewed(next.refreshToken);
    expect((await refresh(refreshToken)).status).toBe(401);
    expect((await refresh(after.refreshToken)).status).toBe(401);
  });

  it('gets three answers at most, also of ten requests in the same moment', async () => {
    const { refreshToken } = await world.person();
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refreshToken)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    expect((await refresh(refreshToken)).status).toBe(401);
  });
});

describe('the keys of access tokens', () => {
  it('are published for whoever checks a token without asking', async () => {
    const { accessToken, userUuid } = await world.person();
    const response = await fetch(`${world.url}/.well-known/jwks.json`);
    expect(response.headers.get('cache-control')).toBe('public, max-age=3600');
    const keys = (await response.json()) as JSONWebKeySet;
    expect(JSON.stringify(keys)).not.toMatch(/"d"/);
    const { payload } = await jwtVerify(accessToken, createLocalJWKSet(keys), {
      currentDate: new Date(world.clock.now()),
    });
    expect(payload.sub).toBe(userUuid);
  });

  it('change every thirty days; the next one is published a day before, the last one a day after', async () => {
    const kids = async () => (await world.tokens.publicKeys()).map(({ kid }) => kid);
    const into = world.clock.now() % (30 * DAY_MS);
    world.clock.advance(30 * DAY_MS - into + 5 * DAY_MS);
    const [first, ...none] = await kids();
    expect(none).toEqual([]);
    world.clock.advance(24.5 * DAY_MS);
    const both = await kids();
    expect(both).toHaveLength(2);
    expect(both).toContain(first);
    const { accessToken } = await world.person();
    world.clock.advance(DAY_MS / 2 + 60_000);
    expect(await kids()).toEqual(expect.arrayContaining(both));
    world.clock.advance(-120_000);
    expect(await meStatus(accessToken)).toBe(401);
    const { accessToken: old } = await world.person();
    world.clock.advance(120_000);
    expect(await meStatus(old)).toBe(200);
    world.clock.advance(DAY_MS);
    expect(await kids()).not.toContain(first);
  });
});
