import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

const PASSWORD = 'correct horse battery';
const NEW = 'a new and longer one';

let world: HttpWorld;
beforeAll(async () => {
  world = await httpWorld({ accounts: { mustVerifyEmail: true } });
});
afterAll(() => world.close());

const send = (method: string, path: string, body?: unknown, accessToken?: string) =>
  fetch(`${world.url}${path}`, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
const post = (path: string, body: unknown) => send('POST', path, body);
const outcome = async (answer: Promise<Response>) => {
  const response = await answer;
  const text = await response.text();
  return [response.status, text === '' ? undefined : (JSON.parse(text) as { code?: string }).code];
};
const login = (email: string, password: string) => outcome(post('/auth/login', { email, password }));
const other = (code: string) => (code === '000000' ? '000001' : '000000');
const register = async (email: string) => {
  const response = await post('/auth/register', { email, password: PASSWORD });
  return (await response.json()) as { accessToken: string; user: { emailVerified: boolean } };
};

describe('a new account', () => {
  it('may look after itself and nothing else until its e-mail is verified', async () => {
    const email = 'new@example.org';
    const { accessToken, user } = await register(email);
    expect(user.emailVerified).toBe(false);
    expect((await send('GET', '/api/users/me', undefined, accessToken)).status).toBe(200);
    expect(await outcome(send('GET', '/api/devices', undefined, accessToken))).toEqual([
      403,
      'EMAIL_UNVERIFIED',
    ]);
    const code = await world.parts.codeFor(email);
    expect((await post('/auth/verify-email', { email: 'NEW@example.org', code })).status).toBe(204);
    expect((await send('GET', '/api/devices', undefined, accessToken)).status).toBe(200);
    expect(await (await send('GET', '/api/users/me', undefined, accessToken)).json()).toMatchObject({
      emailVerified: true,
    });
  });

  it('has its code mailed again when asked; the one before is worth nothing then', async () => {
    const email = 'again@example.org';
    const { accessToken } = await register(email);
    const first = await world.parts.codeFor(email);
    expect((await send('POST', '/api/users/me/verification', undefined, accessToken)).status).toBe(204);
    const second = await world.parts.codeFor(email);
    if (first !== second) {
      expect(await outcome(post('/auth/verify-email', { email, code: first }))).toEqual([
        400,
        'CODE_INVALID',
      ]);
    }
    expect((await post('/auth/verify-email', { email, code: second })).status).toBe(204);
  });

  it('does not let one account verify the address of another', async () => {
    await register('mine@example.org');
    await register('yours@example.org');
    const code = await world.parts.codeFor('mine@example.org');
    expect(await outcome(post('/auth/verify-email', { email: 'yours@example.org', code }))).toEqual([
      400,
      'CODE_INVALID',
    ]);
  });
});

describe('a forgotten password', () => {
  it('is set anew by the code of the mail, once; all sessions end', async () => {
    const { email, accessToken, refreshToken } = await world.person();
    expect((await post('/auth/forgot-password', { email })).status).toBe(204);
    const code = await world.parts.codeFor(email);
    expect((await post('/auth/reset-password', { email, code, password: NEW })).status).toBe(204);
    expect(await outcome(post('/auth/reset-password', { email, code, password: NEW }))).toEqual([
      400,
      'CODE_INVALID',
    ]);
    expect((await send('GET', '/api/users/me', undefined, accessToken)).status).toBe(401);
    expect((await post('/auth/refresh', { refreshToken })).status).toBe(401);
    expect(await login(email, PASSWORD)).toEqual([401, 'BAD_CREDENTIALS']);
    expect((await login(email, NEW))[0]).toBe(200);
    expect((await world.parts.mailTo(email))?.subject).toBe('Your password was changed');
  });

  it('verifies the e-mail too, and locks out a stranger who registered it before', async () => {
    const email = 'squatted@example.org';
    const stranger = await register(email);
    await world.parts.mailTo(email);
    await post('/auth/forgot-password', { email });
    const code = await world.parts.codeFor(email);
    await post('/auth/reset-password', { email, code, password: NEW });
    expect((await send('GET', '/api/users/me', undefined, stranger.accessToken)).status).toBe(401);
    const owner = await post('/auth/login', { email, password: NEW });
    expect(await owner.json()).toMatchObject({ user: { emailVerified: true } });
  });

  it('API-02 has a code of ten minutes from when its mail went', async () => {
    const { email } = await world.person();
    await post('/auth/forgot-password', { email });
    world.clock.advance(600_000);
    const code = await world.parts.codeFor(email);
    world.clock.advance(599_000);
    const late = await world.person();
    await post('/auth/forgot-password', { email: late.email });
    const lateCode = await world.parts.codeFor(late.email);
    expect((await post('/auth/reset-password', { email, code, password: NEW })).status).toBe(204);
    world.clock.advance(600_000);
    expect(
      await outcome(post('/auth/reset-password', { email: late.email, code: lateCode, password: NEW })),
    ).toEqual([400, 'CODE_INVALID']);
  });

  it('API-02 has a code of five tries, also of many in the same moment', async () => {
    const { email } = await world.person();
    await post('/auth/forgot-password', { email });
    const code = await world.parts.codeFor(email);
    await Promise.all(
      Array.from({ length: 5 }, () =>
        post('/auth/reset-password', { email, code: other(code), password: NEW }),
      ),
    );
    expect(await outcome(post('/auth/reset-password', { email, code, password: NEW }))).toEqual([
      400,
      'CODE_INVALID',
    ]);
  });

  it('API-02 has a code that works once of ten times in the same moment', async () => {
    const { email } = await world.person();
    await post('/auth/forgot-password', { email });
    const code = await world.parts.codeFor(email);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => post('/auth/reset-password', { email, code, password: NEW })),
    );
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
  });

  it('API-02 has a code that is taken by one of five who show it in the same moment', async () => {
    const { email, userId } = await world.person();
    const { emailCodes } = world.parts;
    const code = { userId, email, purpose: 'reset-password' as const };
    let taken = 0;
    for (let round = 0; round < 20; round += 1) {
      const shown = await emailCodes.draw(world.database.db, { ...code, seconds: 60 });
      const redeem = () =>
        emailCodes.redeem(world.database.db, { email, purposes: ['reset-password'], code: shown });
      const outcomes = await Promise.all(Array.from({ length: 5 }, redeem));
      taken += outcomes.filter((outcome) => outcome !== undefined).length;
    }
    expect(taken).toBe(20);
  });

  it('API-02 keeps codes where nobody who reads the tables finds them', async () => {
    const { email } = await world.person();
    await post('/auth/forgot-password', { email });
    const waiting = await world.database.db
      .selectFrom('mails')
      .where('email', '=', email)
      .selectAll()
      .execute();
    const code = await world.parts.codeFor(email);
    const stored = await world.database.db
      .selectFrom('email_codes')
      .where('email', '=', email)
      .selectAll()
      .execute();
    expect(JSON.stringify(waiting)).not.toContain(code);
    const hash = stored[0]!.code_hash;
    // A million hashes are tried in a second, so a hash without a key would be the code itself.
    for (const guess of [Buffer.from(code), createHash('sha256').update(code).digest()]) {
      expect(hash.equals(guess)).toBe(false);
    }
    expect(hash).toHaveLength(32);
  });

  it('API-02 has the same answer for an address without an account, which gets no mail', async () => {
    const { email } = await world.person();
    const unknown = 'nobody-here@example.org';
    const known = await post('/auth/forgot-password', { email });
    const other = await post('/auth/forgot-password', { email: unknown });
    expect([other.status, await other.text()]).toEqual([known.status, await known.text()]);
    expect(await world.parts.mailTo(unknown)).toBeUndefined();
    const body = { code: '123456', password: NEW };
    expect(await outcome(post('/auth/reset-password', { email: unknown, ...body }))).toEqual(
      await outcome(post('/auth/reset-password', { email, ...body, code: '999999' })),
    );
  });

  it('API-02 does the same work for an address without an account', async () => {
    const rows = async (email: string) => {
      await post('/auth/forgot-password', { email });
      const mails = await world.database.db
        .selectFrom('mails')
        .where('email', '=', email)
        .select(['kind', 'detail', 'attempts'])
        .execute();
      const codes = await world.database.db
        .selectFrom('email_codes')
        .where('email', '=', email)
        .select('purpose')
        .execute();
      return { mails, codes };
    };
    const { email } = await world.person();
    expect(await rows(email)).toEqual(await rows('not-there-either@example.org'));
  });

  it('API-02 mails an address five times an hour, whoever asks', async () => {
    const { email } = await world.person();
    const statuses: number[] = [];
    for (let n = 0; n < 6; n += 1) statuses.push((await post('/auth/forgot-password', { email })).status);
    expect(statuses).toEqual([204, 204, 204, 204, 204, 429]);
  });

  it('API-02 takes thirty codes a day for an address, over all mails', async () => {
    const { email } = await world.person();
    const statuses = await Promise.all(
      Array.from(
        { length: 32 },
        async () => (await post('/auth/reset-password', { email, code: '123456', password: NEW })).status,
      ),
    );
    expect(statuses.filter((status) => status === 429)).toHaveLength(2);
  });

  it('does nothing for a suspended account', async () => {
    const { email, userId } = await world.person();
    await post('/auth/forgot-password', { email });
    const code = await world.parts.codeFor(email);
    await world.database.db
      .updateTable('users')
      .set({ suspended_at: new Date() })
      .where('id', '=', userId)
      .execute();
    expect(await outcome(post('/auth/reset-password', { email, code, password: NEW }))).toEqual([
      400,
      'CODE_INVALID',
    ]);
  });
});

describe('a new password', () => {
  it.each(['1234567890', 'Password123', 'QWERTYUIOP', 'aaaaaaaaaaaa', 'RaspberryPi'])(
    'must not be among the commonest: %s',
    async (password) => {
      expect(await outcome(post('/auth/register', { email: 'common@example.org', password }))).toEqual([
        400,
        'INVALID_REQUEST',
      ]);
    },
  );

  it('must not be the address', async () => {
    const email = 'longer-than-ten@example.org';
    for (const password of [email, 'Longer-Than-Ten']) {
      expect((await post('/auth/register', { email, password })).status).toBe(400);
    }
  });
});
