import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SavedSession, sessionFile } from '../../src/cli/saved-session.ts';
import { signIn } from '../../src/cli/session.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
let home: string;
beforeAll(async () => {
  world = await httpWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ares-cli-'));
});

/** As `ares login` leaves it; `expiresAt` in ms from now. */
async function signedIn(expiresIn = 900_000) {
  const person = await world.person();
  const { email, accessToken, refreshToken } = person;
  const session: SavedSession = {
    url: world.url,
    email,
    accessToken,
    refreshToken,
    expiresAt: Date.now() + expiresIn,
  };
  await sessionFile(home).write(session);
  return { person, session };
}
const open = () => signIn(home, { role: 'owner', as: undefined }, {});

describe('the session of ares login', () => {
  it('lies where only its owner reads it, and holds no password', async () => {
    await signedIn();
    const { path } = sessionFile(home);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).not.toMatch(/password/i);
  });

  it('is used until its access token ends, then exchanged and kept', async () => {
    const { person, session } = await signedIn();
    expect((await (await open()).client.me()).email).toBe(person.email);
    expect(await sessionFile(home).read()).toEqual(session);
    await sessionFile(home).write({ ...session, expiresAt: Date.now() });
    expect((await (await open()).client.me()).email).toBe(person.email);
    const renewed = await sessionFile(home).read();
    expect(renewed?.refreshToken).not.toBe(session.refreshToken);
    expect(renewed?.expiresAt).toBeGreaterThan(Date.now() + 800_000);
  });

  it('is exchanged when the cloud no longer takes its token', async () => {
    const { session } = await signedIn();
    await sessionFile(home).write({ ...session, accessToken: 'made worthless' });
    expect((await (await open()).client.me()).email).toBe(session.email);
  });

  it('is exchanged once by ten commands in the same moment', async () => {
    const { session } = await signedIn(0);
    const emails = await Promise.all(
      Array.from({ length: 10 }, async () => (await (await open()).client.me()).email),
    );
    expect(new Set(emails)).toEqual(new Set([session.email]));
    const states = await world.database.db
      .selectFrom('refresh_tokens')
      .innerJoin('sessions', 'sessions.id', 'refresh_tokens.session_id')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .where('users.email', '=', session.email)
      .select('state')
      .execute();
    expect(states.map(({ state }) => state).toSorted()).toEqual(['FRESH', 'USED']);
  });

  it('says to sign in again when the cloud has ended it, and forgets it', async () => {
    const { person, session } = await signedIn(0);
    await world.accounts.logout(session.refreshToken, 'test');
    await expect((await open()).client.me()).rejects.toThrow('run ares login');
    expect(await sessionFile(home).read()).toBeUndefined();
    expect(person.email).toBe(session.email);
  });

  it('yields to ARES_EMAIL', async () => {
    await signedIn();
    const other = await world.person();
    const env = { ARES_URL: world.url, ARES_EMAIL: other.email, ARES_PASSWORD: 'correct horse battery' };
    const { client } = await signIn(home, { role: 'owner', as: undefined }, env);
    expect((await client.me()).email).toBe(other.email);
  });

  it('is named when its file is damaged', async () => {
    await writeFile(join(home, 'session.json'), '{"url":');
    await expect(open()).rejects.toThrow('is damaged. Delete it and run ares login.');
  });
});
