import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@ares/protocol/http';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cloud, composeCloud } from '../../cloud/src/compose.ts';
import { readConfig } from '../../cloud/src/config.ts';
import { freePort } from '../support/ares-process.ts';
import { usePostgres } from '../support/postgres.ts';

const password = 'tomatoes and basil';
const homes: string[] = [];
let cloud: Cloud;
/** Another environment: another database, other keys. */
let staging: Cloud;

async function start(): Promise<Cloud> {
  const home = mkdtempSync(join(tmpdir(), 'ares-api02-'));
  homes.push(home);
  const { host, port, user, password: secret, database } = await usePostgres();
  const url = `postgres://${user}:${encodeURIComponent(secret)}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;
  return composeCloud(
    readConfig('all', {
      ARES_HOME: home,
      DATABASE_URL: url,
      PORT: String(await freePort()),
      ARES_LOG_LEVEL: 'silent',
    }),
  );
}

beforeAll(async () => {
  cloud = await start();
  staging = await start();
});
afterAll(async () => {
  await cloud?.close();
  await staging?.close();
  for (const home of homes) rmSync(home, { recursive: true, force: true });
});

const client = (token?: string, at = cloud) =>
  createClient({ baseUrl: at.publicUrl, fetch, accessToken: () => token });
const person = async (at = cloud) => {
  const email = `${randomUUID()}@example.org`;
  return { email, ...(await client(undefined, at).register({ body: { email, password } })) };
};
const code = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: { code: string }) => error.code,
  );

describe('API-02 on the whole cloud', () => {
  it('fifty wrong passwords are 401 or 429, and only ten of them were compared', async () => {
    const { email } = await person();
    const codes = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        code(client().login({ body: { email, password: `guess number ${n}` } })),
      ),
    );
    expect(new Set(codes)).toEqual(new Set(['BAD_CREDENTIALS', 'TOO_MANY_REQUESTS']));
    expect(codes.filter((one) => one === 'BAD_CREDENTIALS')).toHaveLength(10);
    expect(await code(client().login({ body: { email, password } }))).toBe('TOO_MANY_REQUESTS');
  });

  it('a session that was signed out of is refused, with each of its tokens', async () => {
    const { accessToken, refreshToken } = await person();
    await client().logout({ body: { refreshToken } });
    expect(await code(client(accessToken).me())).toBe('AUTHENTICATION_REQUIRED');
    expect(await code(client().refresh({ body: { refreshToken } }))).toBe('TOKEN_INVALID');
  });

  it('a refresh token that is used again after its answer was used ends the whole session', async () => {
    const { refreshToken: stolen } = await person();
    const first = await client().refresh({ body: { refreshToken: stolen } });
    const second = await client().refresh({ body: { refreshToken: first.refreshToken } });
    expect(await code(client(second.accessToken).me())).toBe('done');
    expect(await code(client().refresh({ body: { refreshToken: stolen } }))).toBe('TOKEN_INVALID');
    expect(await code(client(second.accessToken).me())).toBe('AUTHENTICATION_REQUIRED');
    expect(await code(client().refresh({ body: { refreshToken: second.refreshToken } }))).toBe(
      'TOKEN_INVALID',
    );
  });

  it('tokens of another environment are worth nothing here', async () => {
    const elsewhere = await person(staging);
    expect(await code(client(elsewhere.accessToken, staging).me())).toBe('done');
    expect(await code(client(elsewhere.accessToken).me())).toBe('AUTHENTICATION_REQUIRED');
    const { refreshToken } = elsewhere;
    expect(await code(client().refresh({ body: { refreshToken } }))).toBe('TOKEN_INVALID');
  });

  it('a stream ends with the session that opened it, in whatever process the end came', async () => {
    const { accessToken, refreshToken } = await person();
    const response = await fetch(`${cloud.publicUrl}/api/events`, {
      headers: { authorization: `Bearer ${accessToken}` },
    });
    expect(response.status).toBe(200);
    const ended = response.text().then(
      () => 'ended',
      () => 'ended',
    );
    await client().logout({ body: { refreshToken } });
    const late = new Promise((done) => setTimeout(() => done('open after 5 s'), 5_000).unref());
    expect(await Promise.race([ended, late])).toBe('ended');
  });

  it('a forgotten password is answered the same, in the same time, for an address without an account', async () => {
    const timeOf = async (email: string) => {
      const began = performance.now();
      await client().forgotPassword({ body: { email } });
      return performance.now() - began;
    };
    const known: number[] = [];
    const unknown: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      known.push(await timeOf((await person()).email));
      unknown.push(await timeOf(`${randomUUID()}@example.org`));
    }
    const median = (times: number[]) => times.toSorted((a, b) => a - b)[times.length >> 1]!;
    // A hash of a password would be 30 ms and more; what is done is one row, whoever asks.
    expect(Math.abs(median(known) - median(unknown))).toBeLessThan(25);
  });
});
