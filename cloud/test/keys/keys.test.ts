import { parseJwks } from '@ares/protocol/offline-tokens';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyContext } from '../../src/keys/key-material.ts';
import { type KeysWorld, keysWorld } from '../support/keys-world.ts';

const HOUR = 3_600_000;
let world: KeysWorld;
beforeAll(async () => {
  world = await keysWorld();
});
afterAll(() => world.close());

const rowsOf = (deviceId: number) =>
  world.db.selectFrom('device_keys').where('device_id', '=', deviceId).orderBy('id').selectAll().execute();
const kidsOf = async (deviceUuid: string) => (await world.keys.jwks(deviceUuid)).keys.map(({ kid }) => kid);
const auditOf = async (kid: string) =>
  (await world.db.selectFrom('audit_log').where('object_id', '=', kid).select('action').execute()).map(
    ({ action }) => action,
  );

describe('a new key', () => {
  it.each(['ED25519', 'ES256'] as const)('of %s is published, and its private half nowhere', async (alg) => {
    const { access, by, deviceUuid, deviceId } = await world.device();
    const { kid } = await world.keys.rotate(access, alg, by);
    const { keys } = await world.keys.jwks(deviceUuid);
    expect(keys).toEqual([expect.objectContaining({ kid, use: 'sig' })]);
    expect(parseJwks({ keys })).toHaveLength(1);
    expect(JSON.stringify(keys)).not.toMatch(/"d"/);
    const [row] = await rowsOf(deviceId);
    const opened = await world.secrets.open(row!.sealed_private!, keyContext(deviceUuid, kid));
    const { d } = JSON.parse(Buffer.from(opened).toString()) as { d: string };
    expect(Buffer.from(row!.sealed_private!).includes(Buffer.from(d, 'base64url'))).toBe(false);
    expect(JSON.stringify(row!.public_jwk)).not.toContain(d);
    expect(await auditOf(kid)).toEqual(['device-key.rotate']);
  });

  it('opens only in its own row: the seal names device and kid', async () => {
    const [one, other] = [await world.device(), await world.device()];
    const { kid } = await world.keys.rotate(one.access, 'ED25519', one.by);
    const { sealed_private: sealed } = (await rowsOf(one.deviceId))[0]!;
    for (const context of [keyContext(other.deviceUuid, kid), keyContext(one.deviceUuid, 'x')])
      await expect(world.secrets.open(sealed!, context)).rejects.toMatchObject({ code: 'SEALED_DAMAGED' });
  });

  it('cannot be stored with a private member where everybody reads it', async () => {
    const { deviceId } = await world.device();
    const insert = sql`insert into device_keys (device_id, kid, alg, public_jwk, sealed_private, created_at)
      values (${deviceId}, 'k', 'ED25519', '{"d":"secret"}', 'x', now())`.execute(world.db);
    await expect(insert).rejects.toMatchObject({ constraint: 'device_keys_public_jwk_check' });
  });
});

describe('rotation', () => {
  it('TOK-04 keeps the old key in the JWKS for as long as its tokens may live, and destroys its private half at once', async () => {
    const { access, by, deviceId, deviceUuid } = await world.device();
    const old = await world.keys.rotate(access, 'ED25519', by);
    const fresh = await world.keys.rotate(access, 'ES256', by);
    expect(await kidsOf(deviceUuid)).toEqual([fresh.kid, old.kid]);
    expect((await rowsOf(deviceId)).map(({ sealed_private: sealed }) => sealed === null)).toEqual([
      true,
      false,
    ]);
    world.clock.advance(24 * HOUR - 1);
    expect(await kidsOf(deviceUuid)).toEqual([fresh.kid, old.kid]);
    world.clock.advance(1);
    expect(await kidsOf(deviceUuid)).toEqual([fresh.kid]);
  });

  it('leaves one active key of ten made at the same time', async () => {
    const { access, by, deviceId, deviceUuid } = await world.device();
    await Promise.all(Array.from({ length: 10 }, () => world.keys.rotate(access, 'ED25519', by)));
    const rows = await rowsOf(deviceId);
    expect(rows).toHaveLength(10);
    expect(rows.filter(({ rotated_at: rotated }) => rotated === null)).toHaveLength(1);
    expect(await kidsOf(deviceUuid)).toHaveLength(10);
  });

  it('is kept to one active key by the database itself', async () => {
    const { access, by, deviceId } = await world.device();
    await world.keys.rotate(access, 'ED25519', by);
    const second = sql`insert into device_keys (device_id, kid, alg, public_jwk, sealed_private, created_at)
      values (${deviceId}, 'second', 'ED25519', '{}', 'x', now())`.execute(world.db);
    await expect(second).rejects.toMatchObject({ constraint: 'device_keys_one_active' });
  });

  it('stops at sixteen keys within a day, and says when to go on', async () => {
    const { access, by, deviceUuid } = await world.device();
    for (let n = 0; n < 16; n += 1) {
      const { kid } = await world.keys.rotate(access, 'ED25519', by);
      if (n % 2 === 1) await world.keys.deactivate(access, kid, by);
    }
    await expect(world.keys.rotate(access, 'ED25519', by)).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      retryAfterSeconds: 24 * 3_600,
    });
    world.clock.advance(24 * HOUR);
    await world.keys.rotate(access, 'ED25519', by);
    expect(await kidsOf(deviceUuid)).toHaveLength(1);
  });

  it('is refused to who gave the device away meanwhile', async () => {
    const { access, by } = await world.device();
    await world.release(access.assignmentId);
    await expect(world.keys.rotate(access, 'ED25519', by)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('deactivation', () => {
  it('TOK-04 takes the key out of the JWKS at once, also one in its overlap, and may be repeated', async () => {
    const { access, by, deviceUuid } = await world.device();
    const old = await world.keys.rotate(access, 'ED25519', by);
    const fresh = await world.keys.rotate(access, 'ED25519', by);
    await world.keys.deactivate(access, old.kid, by);
    expect(await kidsOf(deviceUuid)).toEqual([fresh.kid]);
    await world.keys.deactivate(access, fresh.kid, by);
    await world.keys.deactivate(access, fresh.kid, by);
    expect(await kidsOf(deviceUuid)).toEqual([]);
    expect(await auditOf(fresh.kid)).toEqual(['device-key.rotate', 'device-key.deactivate']);
  });

  it('knows only keys of this device', async () => {
    const [one, other] = [await world.device(), await world.device()];
    const { kid } = await world.keys.rotate(one.access, 'ED25519', one.by);
    await expect(world.keys.deactivate(other.access, kid, other.by)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await kidsOf(one.deviceUuid)).toEqual([kid]);
  });
});

describe('the list of keys', () => {
  it('is newest first, page by page, and by status', async () => {
    const { access, by } = await world.device();
    const made: string[] = [];
    for (let n = 0; n < 3; n += 1) made.unshift((await world.keys.rotate(access, 'ED25519', by)).kid);
    await world.keys.deactivate(access, made[2]!, by);
    const rows = await world.keys.list(access, { limit: 2 });
    expect(rows.map(({ kid }) => kid)).toEqual(made);
    const of = async (status: 'ACTIVE' | 'ROTATED' | 'DEACTIVATED') =>
      (await world.keys.list(access, { status, limit: 9 })).map(({ kid }) => kid);
    expect([await of('ACTIVE'), await of('ROTATED'), await of('DEACTIVATED')]).toEqual(
      made.map((kid) => [kid]),
    );
  });
});
