import {
  createKeyCache,
  createOfflineTokenValidator,
  MOST_OFFLINE_TOKENS,
  openRevocations,
  readOfflineToken,
} from '@ares/protocol/offline-tokens';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeExpired } from '../../src/jobs/housekeeping.ts';
import { type KeysWorld, keysWorld } from '../support/keys-world.ts';

const HOUR = 3_600_000;
let world: KeysWorld;
beforeAll(async () => {
  world = await keysWorld({ mostTokens: 5 });
});
afterAll(() => world.close());

const wanted = { scope: ['pump:on', 'pump:stop'], ttlSeconds: 3_600 };
async function ready(alg: 'ED25519' | 'ES256' = 'ED25519') {
  const device = await world.device();
  const { kid } = await world.keys.rotate(device.access, alg, device.by);
  return {
    ...device,
    kid,
    issue: (over = {}) => world.tokens.issue(device.access, { ...wanted, ...over }, device.by),
  };
}
const verify = (token: string, over = {}) => world.tokens.verify({ token, ...over });

/** A device that asks the cloud for keys and lists as the library does. */
async function validatorOf(deviceUuid: string, assignment = 1) {
  const now = world.clock.now;
  let kept: string | undefined;
  const revocations = await openRevocations({
    issuer: world.issuer,
    deviceUuid,
    commandKeys: { keys: [...world.orders.publicJwks().keys] },
    now,
    store: {
      load: async () => kept,
      async save(list) {
        kept = list;
      },
    },
  });
  const fetchList = async () => await revocations.accept(await world.revocations(deviceUuid));
  expect(await fetchList()).toEqual({ ok: true });
  const validator = createOfflineTokenValidator({
    issuer: world.issuer,
    deviceUuid,
    assignment: () => assignment,
    keys: createKeyCache({ fetchJwks: () => world.keys.jwks(deviceUuid), now }),
    revocations,
    now,
  });
  const check = async (token: string, action = 'on') => {
    const result = await validator.check(token, { componentType: 'pump', action });
    return result.ok ? undefined : result.problem;
  };
  return { check, fetchList, version: () => revocations.current()?.version };
}

describe('an issued token', () => {
  it.each(['ED25519', 'ES256'] as const)('by %s is one that the library accepts offline', async (alg) => {
    const { issue, deviceUuid, owner, kid } = await ready(alg);
    const { token, jti, expiresAt } = await issue();
    expect(readOfflineToken(token)).toEqual({
      kid,
      claims: {
        iss: world.issuer,
        aud: deviceUuid,
        asg: 1,
        sub: owner.userUuid,
        jti,
        iat: world.clock.now() / 1_000,
        nbf: world.clock.now() / 1_000,
        exp: expiresAt.getTime() / 1_000,
        scope: 'pump:on pump:stop',
      },
    });
    const device = await validatorOf(deviceUuid);
    expect(await device.check(token)).toBeUndefined();
    expect(await device.check(token, 'off')).toBe('SCOPE');
    expect(await verify(token, { deviceUuid, action: 'pump:on' })).toBeUndefined();
    expect(await verify(token, { action: 'pump:off' })).toBe('SCOPE');
    expect(await verify(token, { deviceUuid: '00000000-0000-4000-8000-000000000000' })).toBe('AUDIENCE');
  });

  it('is kept nowhere: the table has what it says, the audit log that it was issued', async () => {
    const { issue, by } = await ready();
    const { token, jti } = await issue();
    const row = await world.db
      .selectFrom('offline_tokens')
      .where('jti', '=', jti)
      .selectAll()
      .executeTakeFirst();
    expect(JSON.stringify(row)).not.toContain(token.split('.')[2]);
    const audit = await world.db.selectFrom('audit_log').where('object_id', '=', jti).selectAll().execute();
    expect(audit).toMatchObject([{ action: 'offline-token.issue', actor_user_id: by.userId }]);
    expect(JSON.stringify(audit)).not.toContain(token.split('.')[2]);
  });

  it('ends by itself', async () => {
    const { issue } = await ready();
    const { token } = await issue();
    world.clock.advance(HOUR - 1);
    expect(await verify(token)).toBeUndefined();
    world.clock.advance(1);
    expect(await verify(token)).toBe('EXPIRED');
  });

  it('goes on after a rotation until it ends', async () => {
    const { issue, access, by, deviceUuid } = await ready();
    const { token } = await issue({ ttlSeconds: 86_400 });
    await world.keys.rotate(access, 'ES256', by);
    const device = await validatorOf(deviceUuid);
    expect([await verify(token), await device.check(token)]).toEqual([undefined, undefined]);
  });

  it('ends with its key', async () => {
    const { issue, access, by, kid, deviceUuid } = await ready();
    const { token } = await issue();
    const device = await validatorOf(deviceUuid);
    expect(await device.check(token)).toBeUndefined();
    await world.keys.deactivate(access, kid, by);
    expect(await verify(token)).toBe('KEY_DEACTIVATED');
    // The keys are still in the device's cache: the list is what tells.
    const began = device.version()!;
    await device.fetchList();
    expect(device.version()).toBeGreaterThan(began);
    expect(await device.check(token)).toBe('KEY_DEACTIVATED');
  });

  it('ends with the assignment, and the next owner cannot use it', async () => {
    const { issue, access, deviceUuid, deviceId } = await ready();
    const { token } = await issue();
    const device = await validatorOf(deviceUuid);
    await world.release(access.assignmentId);
    expect(await verify(token)).toBe('ASSIGNMENT');
    await device.fetchList();
    expect(await device.check(token)).toBe('ASSIGNMENT');
    await world.claim({ deviceId, deviceUuid }, await world.user(), 2);
    expect(await verify(token)).toBe('ASSIGNMENT');
  });

  it('that nobody issued counts as revoked, although the signature is right', async () => {
    const { issue } = await ready();
    const { token, jti } = await issue();
    await world.db.deleteFrom('offline_tokens').where('jti', '=', jti).execute();
    expect(await verify(token)).toBe('REVOKED');
  });
});

describe('issuing is refused', () => {
  it.each([['pump:explode'], ['dht22:on'], ['led:on'], ['relay:on']])(
    'for %s, which the device cannot do',
    async (item) => {
      const { issue } = await ready();
      await expect(issue({ scope: ['pump:on', item] })).rejects.toMatchObject({
        code: 'UNKNOWN_ACTION',
        issues: [{ path: 'scope.1' }],
      });
    },
  );

  it('without an active key, with what to do', async () => {
    const { issue, access, by, kid } = await ready();
    await world.keys.deactivate(access, kid, by);
    await expect(issue()).rejects.toMatchObject({ code: 'CONFLICT', message: /keys\/rotate/ });
  });

  it('for a device that is not ACTIVE, and to who gave it away', async () => {
    const { issue, access, deviceId } = await ready();
    const set = (to: 'QUARANTINED' | 'ACTIVE') =>
      world.db.updateTable('devices').set({ life_cycle: to }).where('id', '=', deviceId).execute();
    await set('QUARANTINED');
    await expect(issue()).rejects.toMatchObject({ code: 'CONFLICT' });
    await set('ACTIVE');
    await world.release(access.assignmentId);
    await expect(issue()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('beyond what one revocation list can name, also at the same time', async () => {
    const { issue } = await ready();
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => issue()));
    const refused = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(refused).toHaveLength(3);
    for (const reason of refused) expect(reason).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    expect(MOST_OFFLINE_TOKENS).toBe(200);
    world.clock.advance(HOUR);
    await issue();
  });
});

describe('revocation', () => {
  it('ends one token or all, raises the version, and may be repeated', async () => {
    const { issue, access, by, deviceUuid } = await ready();
    const [one, two, three] = [await issue(), await issue(), await issue()];
    const device = await validatorOf(deviceUuid);
    const began = device.version()!;
    expect(await world.tokens.revoke(access, one.jti, by)).toBe(1);
    expect(await world.tokens.revoke(access, one.jti, by)).toBe(0);
    await device.fetchList();
    const raised = device.version()!;
    expect(raised).toBeGreaterThan(began);
    expect([await device.check(one.token), await device.check(two.token)]).toEqual(['REVOKED', undefined]);
    expect(await verify(one.token)).toBe('REVOKED');
    expect(await world.tokens.revoke(access, undefined, by)).toBe(2);
    await device.fetchList();
    expect(device.version()).toBeGreaterThan(raised);
    expect([await device.check(two.token), await device.check(three.token)]).toEqual(['REVOKED', 'REVOKED']);
    expect(await device.check(two.token, 'stop')).toBe('REVOKED');
  });

  it('is for the owner of now and for administrators: by the token or its jti', async () => {
    const { issue, owner } = await ready();
    const [one, two] = [await issue(), await issue()];
    const stranger = await world.user();
    for (const which of [{ token: one.token }, { jti: one.jti }])
      await expect(world.tokens.revokeByToken(stranger, which, 'x')).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    await world.tokens.revokeByToken(owner, { token: one.token }, 'x');
    const admin = { ...(await world.user()), roles: ['general_admin' as const] };
    await world.tokens.revokeByToken(admin, { jti: two.jti }, 'x');
    expect([await verify(one.token), await verify(two.token)]).toEqual(['REVOKED', 'REVOKED']);
    await expect(world.tokens.revokeByToken(owner, { token: 'x.y.z' }, 'x')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('knows no token of another device, nor of the owner before', async () => {
    const [one, other] = [await ready(), await ready()];
    const { jti } = await one.issue();
    await expect(world.tokens.revoke(other.access, jti, other.by)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await world.release(one.access.assignmentId);
    const next = await world.claim(one, await world.user(), 2);
    await expect(world.tokens.revoke(next.access, jti, next.by)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await world.tokens.list(next.access, { limit: 9 })).toEqual([]);
  });

  it('list forgets what has expired by itself', async () => {
    const { issue, access, by, deviceUuid } = await ready();
    const { jti } = await issue();
    await world.tokens.revoke(access, jti, by);
    const tokensOf = async () => {
      const payload = (await world.revocations(deviceUuid)).split('.')[1]!;
      return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { tokens: string[] }).tokens;
    };
    expect(await tokensOf()).toEqual([jti]);
    world.clock.advance(HOUR);
    expect(await tokensOf()).toEqual([]);
  });
});

describe('the list of issued tokens', () => {
  it('says how each stands, newest first, by pages and status', async () => {
    const { issue, access, by } = await ready();
    const expired = await issue({ ttlSeconds: 1 });
    world.clock.advance(1_000);
    const revoked = await issue();
    world.clock.advance(1_000);
    const valid = await issue();
    await world.tokens.revoke(access, revoked.jti, by);
    const rows = await world.tokens.list(access, { limit: 9 });
    expect(rows.map(({ jti, status }) => [jti, status])).toEqual([
      [valid.jti, 'VALID'],
      [revoked.jti, 'REVOKED'],
      [expired.jti, 'EXPIRED'],
    ]);
    const cursor = Buffer.from(JSON.stringify([rows[0]!.issuedAt.getTime(), rows[0]!.jti])).toString(
      'base64url',
    );
    expect((await world.tokens.list(access, { limit: 9, cursor })).map(({ jti }) => jti)).toEqual([
      revoked.jti,
      expired.jti,
    ]);
    expect(await world.tokens.list(access, { limit: 9, status: 'REVOKED' })).toMatchObject([
      { jti: revoked.jti },
    ]);
    await world.keys.deactivate(access, valid.kid, by);
    expect(await world.tokens.list(access, { limit: 9, status: 'ENDED' })).toHaveLength(2);
  });
});

describe('the job', () => {
  it('removes tokens that have expired, and keys that nothing needs any more', async () => {
    const { issue, access, by, deviceId } = await ready();
    await issue();
    await world.keys.rotate(access, 'ED25519', by);
    const kept = async () => ({
      tokens: (await world.tokens.list(access, { limit: 9 })).length,
      keys: (
        await world.db.selectFrom('device_keys').where('device_id', '=', deviceId).select('kid').execute()
      ).length,
    });
    await removeExpired(world.db, new Date(world.clock.now() + HOUR - 1));
    expect(await kept()).toEqual({ tokens: 1, keys: 2 });
    await removeExpired(world.db, new Date(world.clock.now() + HOUR + 1));
    expect(await kept()).toEqual({ tokens: 0, keys: 2 });
    await removeExpired(world.db, new Date(world.clock.now() + 24 * HOUR + 1));
    expect(await kept()).toEqual({ tokens: 0, keys: 1 });
  });
});
