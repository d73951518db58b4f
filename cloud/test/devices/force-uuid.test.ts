import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

type Person = Awaited<ReturnType<HttpWorld['person']>>;

let world: HttpWorld;
let admin: Person;
beforeAll(async () => {
  world = await httpWorld();
  admin = await world.person(['general_admin']);
});
afterAll(() => world.close());

const force = (from: string, to: string, by: Person = admin) =>
  by.client.forceUuid({ params: { id: from }, body: { deviceUuid: to, reason: 'the label was misread' } });
const stillIs = async (deviceUuid: string) =>
  (await admin.client.getDevice({ params: { id: deviceUuid } })).deviceUuid;

describe('a device that was registered under a wrong UUID', () => {
  it('gets its right one from an administrator, which is audited under both', async () => {
    const { deviceUuid: wrong, deviceId } = await world.device();
    const right = randomUUID();
    expect(await force(wrong, right)).toEqual({ deviceUuid: right });
    expect(await stillIs(right)).toBe(right);
    await expect(stillIs(wrong)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { db } = world.database;
    const row = await db.selectFrom('devices').select('id').where('device_uuid', '=', right).execute();
    expect(row).toEqual([{ id: deviceId }]);
    const audit = await db
      .selectFrom('audit_log')
      .select(['object_id', 'actor_user_id', 'detail'])
      .where('action', '=', 'device.force-uuid')
      .orderBy('id')
      .execute();
    const entry = {
      actor_user_id: admin.userId,
      detail: { from: wrong, to: right, reason: 'the label was misread' },
    };
    expect(audit).toEqual([
      { ...entry, object_id: wrong },
      { ...entry, object_id: right },
    ]);
  });

  it('keeps it when somebody else than an administrator asks', async () => {
    const { deviceUuid } = await world.device();
    for (const by of [await world.person(), await world.person(['developer'])])
      await expect(force(deviceUuid, randomUUID(), by)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await stillIs(deviceUuid)).toBe(deviceUuid);
  });

  it.each([
    ['owned', async ({ deviceId }: { deviceId: number }) => own(deviceId, null)],
    ['given away', async ({ deviceId }: { deviceId: number }) => own(deviceId, new Date())],
    ['blocked', async ({ deviceUuid }: { deviceUuid: string }) => block(deviceUuid)],
    ['being claimed', async ({ deviceId }: { deviceId: number }) => claim(deviceId)],
  ])('keeps it when it is %s', async (_, make) => {
    const device = await world.device();
    await make(device);
    await expect(force(device.deviceUuid, randomUUID())).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await stillIs(device.deviceUuid)).toBe(device.deviceUuid);
  });

  it('does not get the UUID of another device or of an app', async () => {
    const [{ deviceUuid }, other, app] = [await world.device(), await world.device(), randomUUID()];
    await world.database.db
      .insertInto('app_certificates')
      .values({
        app_uuid: app,
        user_id: admin.userId,
        session_id: null,
        serial: randomBytes(16).toString('hex'),
        created_at: new Date(),
        not_after: new Date(),
      } as never)
      .execute();
    for (const taken of [other.deviceUuid, app])
      await expect(force(deviceUuid, taken)).rejects.toMatchObject({ code: 'UUID_TAKEN' });
    await expect(force(deviceUuid, deviceUuid)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(force(randomUUID(), randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

const own = (deviceId: number, endedAt: Date | null) =>
  world.database.db
    .insertInto('assignments')
    .values({ device_id: deviceId, number: 1, user_id: admin.userId, ended_at: endedAt })
    .execute();
const block = (id: string) => admin.client.blockDevice({ params: { id }, body: { reason: 'stolen' } });
const claim = (deviceId: number) =>
  world.database.db
    .insertInto('claims')
    .values({
      id: randomUUID(),
      device_id: deviceId,
      user_id: admin.userId,
      nonce_hash: randomBytes(32),
      identity_key_hash: randomBytes(32).toString('hex'),
      expires_at: new Date(world.clock.now() + 60_000),
    } as never)
    .execute();
