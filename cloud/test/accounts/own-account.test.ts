import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeExpiredAccess } from '../../src/accounts/expiry.ts';
import { createDirectoryRepository } from '../../src/telemetry/directory-repository.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

const PASSWORD = 'correct horse battery';
const NEW = 'a new and longer one';
const DAY_MS = 86_400_000;

let world: HttpWorld;
beforeAll(async () => {
  world = await httpWorld();
});
afterAll(() => world.close());

const send = async (method: string, path: string, accessToken: string, body?: unknown, ifMatch?: string) => {
  const response = await fetch(`${world.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${accessToken}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(ifMatch !== undefined && { 'if-match': ifMatch }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    etag: response.headers.get('etag') ?? '',
    body: (text === '' ? undefined : JSON.parse(text)) as Record<string, unknown>,
  };
};
const login = async (email: string, password: string) => {
  const response = await fetch(`${world.url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
  return { status: response.status, body: (await response.json()) as { accessToken: string } };
};

describe('a profile', () => {
  it('is changed member by member', async () => {
    const { accessToken } = await world.person();
    const first = await send('PUT', '/api/users/me', accessToken, {
      displayName: 'Ada',
      locale: 'de-AT',
      timeZone: 'Europe/Vienna',
    });
    expect(first.body).toMatchObject({ displayName: 'Ada', locale: 'de-AT', timeZone: 'Europe/Vienna' });
    const second = await send('PUT', '/api/users/me', accessToken, {
      locale: null,
      notifications: { signIn: true },
    });
    expect(second.body).toMatchObject({
      displayName: 'Ada',
      locale: null,
      notifications: { signIn: true, alerts: true },
    });
    expect((await send('GET', '/api/users/me', accessToken)).body).toEqual(second.body);
  });

  it('is not overwritten by who read it before somebody else changed it', async () => {
    const { accessToken } = await world.person();
    const { etag } = await send('GET', '/api/users/me', accessToken);
    expect((await send('PUT', '/api/users/me', accessToken, { displayName: 'A' }, etag)).status).toBe(200);
    const late = await send('PUT', '/api/users/me', accessToken, { displayName: 'B' }, etag);
    expect([late.status, late.body['code']]).toEqual([412, 'PRECONDITION_FAILED']);
  });

  it.each([
    { displayName: '' },
    { displayName: 'a\nb' },
    { displayName: 'x'.repeat(81) },
    { locale: 'deutsch!' },
    { timeZone: 'Mars/Olympus' },
    { timeZone: '../etc/passwd' },
    { email: 'other@example.org' },
    { roles: ['prime_admin'] },
    { suspended: false },
  ])('refuses %o', async (body) => {
    const { accessToken } = await world.person();
    expect((await send('PUT', '/api/users/me', accessToken, body)).status).toBe(400);
  });

  it('leaves no word of itself in the audit log', async () => {
    const { accessToken, userUuid } = await world.person();
    await send('PUT', '/api/users/me', accessToken, { displayName: 'Canary Name' });
    const rows = await world.database.db
      .selectFrom('audit_log')
      .where('object_id', '=', userUuid)
      .selectAll()
      .execute();
    expect(rows.map(({ action }) => action)).toContain('user.update');
    expect(JSON.stringify(rows)).not.toContain('Canary');
  });

  it('has a mail sent at each sign-in when that is wanted', async () => {
    const { accessToken, email } = await world.person();
    await login(email, PASSWORD);
    expect(await world.parts.mailTo(email)).toBeUndefined();
    await send('PUT', '/api/users/me', accessToken, { notifications: { signIn: true } });
    await login(email, PASSWORD);
    expect((await world.parts.mailTo(email))?.text).toContain('127.0.0.1');
  });
});

describe('an alert', () => {
  const raise = (deviceId: number | null) =>
    world.database.db
      .insertInto('alerts')
      .values({
        kind: 'COMPROMISE_SUSPECTED',
        device_id: deviceId,
        detail: '{}',
        at: new Date(world.clock.now()),
      })
      .execute();

  it('is mailed to the owner of the device and to administrators, not to others', async () => {
    const [owner, stranger] = [await world.person(), await world.person()];
    const admin = await world.person(['general_admin']);
    const { deviceId, deviceUuid } = await world.device(owner);
    await raise(deviceId);
    const mail = await world.parts.mailTo(owner.email);
    expect(mail?.subject).toBe('Alert: Compromise suspected');
    expect(mail?.text).toContain(deviceUuid);
    expect((await world.parts.mailTo(admin.email))?.text).toContain(deviceUuid);
    expect(await world.parts.mailTo(stranger.email)).toBeUndefined();
  });

  it('is not mailed to who switched that off, and without a device to administrators only', async () => {
    const [owner, admin] = [await world.person(), await world.person(['prime_admin'])];
    const { deviceId } = await world.device(owner);
    await send('PUT', '/api/users/me', owner.accessToken, { notifications: { alerts: false } });
    await raise(deviceId);
    expect(await world.parts.mailTo(owner.email)).toBeUndefined();
    const before = world.parts.letters.length;
    await raise(null);
    await world.parts.mailTo(admin.email);
    const told = world.parts.letters.slice(before).map(({ to }) => to);
    expect(told).toContain(admin.email);
    expect(told).not.toContain(owner.email);
  });
});

describe('a password', () => {
  it('is changed with the old one; other sessions end, this one goes on', async () => {
    const { accessToken, email } = await world.person();
    const { body: other } = await login(email, PASSWORD);
    const path = '/api/users/me/password';
    const wrong = await send('PUT', path, accessToken, { oldPassword: 'wrong', newPassword: NEW });
    expect([wrong.status, wrong.body['code']]).toEqual([401, 'BAD_CREDENTIALS']);
    const body = { oldPassword: PASSWORD, newPassword: NEW };
    expect((await send('PUT', path, accessToken, body)).status).toBe(204);
    expect((await send('GET', '/api/users/me', accessToken)).status).toBe(200);
    expect((await send('GET', '/api/users/me', other.accessToken)).status).toBe(401);
    expect((await login(email, PASSWORD)).status).toBe(401);
    expect((await login(email, NEW)).status).toBe(200);
    expect((await world.parts.mailTo(email))?.subject).toBe('Your password was changed');
  });

  it('must not become one of the commonest', async () => {
    const { accessToken } = await world.person();
    const body = { oldPassword: PASSWORD, newPassword: 'qwertyuiop' };
    const answer = await send('PUT', '/api/users/me/password', accessToken, body);
    expect(answer.body).toMatchObject({ code: 'INVALID_REQUEST', issues: [{ path: 'newPassword' }] });
  });

  it('API-02 is not guessed by who holds a session either', async () => {
    const { accessToken } = await world.person();
    const codes = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const body = { oldPassword: `guess ${n}`, newPassword: NEW };
        return (await send('PUT', '/api/users/me/password', accessToken, body)).body['code'];
      }),
    );
    expect(codes.filter((code) => code === 'BAD_CREDENTIALS')).toHaveLength(10);
    expect(codes.filter((code) => code === 'TOO_MANY_REQUESTS')).toHaveLength(2);
  });
});

describe('an e-mail', () => {
  const verify = async (email: string, code: string) =>
    (await send('POST', '/auth/verify-email', 'none', { email, code })).status;

  it('is changed when the code of the new address is shown; the old one is told', async () => {
    const { accessToken, email } = await world.person();
    const next = `${randomUUID()}@example.org`;
    const body = { email: next.toUpperCase(), password: PASSWORD };
    expect((await send('PUT', '/api/users/me/email', accessToken, body)).status).toBe(204);
    expect((await send('GET', '/api/users/me', accessToken)).body).toMatchObject({ email });
    expect(await verify(next, await world.parts.codeFor(next))).toBe(204);
    expect((await send('GET', '/api/users/me', accessToken)).body).toMatchObject({
      email: next,
      emailVerified: true,
    });
    expect((await login(next, PASSWORD)).status).toBe(200);
    expect((await login(email, PASSWORD)).status).toBe(401);
    expect((await world.parts.mailTo(email))?.subject).toBe('Your account has another e-mail now');
  });

  it('is not changed without the password', async () => {
    const { accessToken } = await world.person();
    const body = { email: 'elsewhere@example.org', password: 'wrong' };
    expect((await send('PUT', '/api/users/me/email', accessToken, body)).status).toBe(401);
  });

  it('API-02 tells nobody whether an address has an account', async () => {
    const { accessToken } = await world.person();
    const taken = await world.person();
    const answer = await send('PUT', '/api/users/me/email', accessToken, {
      email: taken.email,
      password: PASSWORD,
    });
    expect([answer.status, answer.body]).toEqual([204, undefined]);
    expect(await world.parts.mailTo(taken.email)).toBeUndefined();
  });

  it('that somebody else took meanwhile is refused, and nothing changes', async () => {
    const { accessToken, email } = await world.person();
    const next = `${randomUUID()}@example.org`;
    await send('PUT', '/api/users/me/email', accessToken, { email: next, password: PASSWORD });
    const code = await world.parts.codeFor(next);
    await world.accounts.ensureAccount({ email: next, password: PASSWORD, roles: [] });
    const answer = await send('POST', '/auth/verify-email', 'none', { email: next, code });
    expect([answer.status, answer.body['code']]).toEqual([409, 'EMAIL_TAKEN']);
    expect((await send('GET', '/api/users/me', accessToken)).body).toMatchObject({ email });
  });

  it('strands no outbox: devices may name the old one until they have the new one', async () => {
    const person = await world.person();
    const { deviceUuid } = await world.device(person);
    const noticed: string[] = [];
    const stop = world.database.listen(
      'device',
      (notice) => noticed.push(notice.deviceUuid),
      () => undefined,
    );
    const known = async () =>
      (await createDirectoryRepository(world.database).load([deviceUuid], new Date(0))).devices[0];
    expect(await known()).toMatchObject({ userEmail: person.email, formerEmails: [] });
    const next = `${randomUUID()}@example.org`;
    await send('PUT', '/api/users/me/email', person.accessToken, { email: next, password: PASSWORD });
    await verify(next, await world.parts.codeFor(next));
    expect(await known()).toMatchObject({ userEmail: next, formerEmails: [person.email] });
    await expect.poll(() => noticed).toContain(deviceUuid);
    stop();
    await removeExpiredAccess(world.database.db, new Date(world.clock.now() + DAY_MS));
    expect(await known()).toMatchObject({ formerEmails: [person.email] });
    await removeExpiredAccess(world.database.db, new Date(world.clock.now() + 3 * DAY_MS));
    expect(await known()).toMatchObject({ formerEmails: [] });
  });
});
