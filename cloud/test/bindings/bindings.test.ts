import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

type Person = Awaited<ReturnType<HttpWorld['person']>>;

let world: HttpWorld;
let admin: Person;
let user: Person;
beforeAll(async () => {
  world = await httpWorld();
  [admin, user] = [await world.person(['general_admin']), await world.person()];
});
afterAll(() => world.close());

async function registered(change: object = {}) {
  const body = {
    cpuSerial: randomBytes(8).toString('hex'),
    deviceUuid: randomUUID(),
    identityKeyHash: randomBytes(32).toString('hex'),
    hardwareVersion: 'pi-4',
    hardwareVariant: 'greenhouse',
    ...change,
  };
  await admin.client.preregister({ body });
  return { id: body.deviceUuid };
}
const bind = (params: { id: string }, userId = user.userUuid, by = admin) =>
  by.client.bindDevice({ params, body: { userId } });

describe('to bind a device to a user', () => {
  it('makes a pending claim of his and nothing more; the audit log names who asked', async () => {
    const params = await registered();
    const claim = await bind(params);
    expect(claim).toMatchObject({ claimId: expect.any(String), nonce: expect.any(String) });
    expect(await admin.client.getBinding({ params })).toEqual({ binding: null });
    expect((await user.client.listDevices()).items).toEqual([]);
    const row = await world.database.db
      .selectFrom('claims')
      .select(['user_id', 'asked_by', 'used_at'])
      .where('id', '=', claim.claimId)
      .executeTakeFirstOrThrow();
    expect(row).toEqual({ user_id: user.userId, asked_by: admin.userId, used_at: null });
    const audit = await world.database.db
      .selectFrom('audit_log')
      .select(['action', 'actor_user_id', 'detail'])
      .where('object_id', '=', claim.claimId)
      .execute();
    expect(audit).toEqual([
      {
        action: 'device.bind',
        actor_user_id: admin.userId,
        detail: { deviceUuid: params.id, userId: user.userUuid },
      },
    ]);
  });

  it('is refused where a claim would be: an owner, a block, a recovery, an unknown key', async () => {
    const owned = await world.device(await world.person());
    await world.database.db
      .updateTable('devices')
      .set({ identity_key_hash: randomBytes(32).toString('hex') })
      .where('id', '=', owned.deviceId)
      .execute();
    await expect(bind({ id: owned.deviceUuid })).rejects.toMatchObject({ code: 'DEVICE_OWNED' });
    for (const allowFirstUse of [false, true]) {
      // With first use only the person beside the device can tell which one it is.
      const params = await registered({ identityKeyHash: undefined, allowFirstUse });
      await expect(bind(params)).rejects.toMatchObject({ code: 'IDENTITY_UNKNOWN' });
    }
    for (const [lifeCycle, code] of [
      ['BLOCKED', 'DEVICE_BLOCKED'],
      ['RECOVERY_NEEDED', 'RECOVERY_NEEDED'],
    ] as const) {
      const params = await registered();
      await world.database.db
        .updateTable('devices')
        .set({ life_cycle: lifeCycle })
        .where('device_uuid', '=', params.id)
        .execute();
      await expect(bind(params)).rejects.toMatchObject({ code });
    }
  });

  it('needs a user who may own, a device that is registered, and an administrator', async () => {
    const params = await registered();
    await expect(bind(params, randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(bind({ id: randomUUID() })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const change of [{ suspended_at: new Date() }, { deleted_at: new Date() }]) {
      const gone = await world.person();
      await world.database.db.updateTable('users').set(change).where('id', '=', gone.userId).execute();
      await expect(bind(params, gone.userUuid)).rejects.toMatchObject({ code: 'CONFLICT' });
    }
    await expect(bind(params, user.userUuid, user)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('counts for the administrator who asks, not against the user', async () => {
    const params = await registered();
    const before = await world.database.db.selectFrom('claim_attempts').select('user_id').execute();
    await bind(params);
    const after = await world.database.db.selectFrom('claim_attempts').select('user_id').execute();
    const count = (rows: { user_id: number }[], { userId }: Person) =>
      rows.filter((row) => row.user_id === userId).length;
    expect(count(after, admin)).toBe(count(before, admin) + 1);
    expect(count(after, user)).toBe(count(before, user));
  });
});

describe('the bindings of a user', () => {
  it('are those that run and those that ended, newest first, for himself and administrators', async () => {
    const owner = await world.person();
    const [old, current] = [await world.device(owner), await world.device(owner)];
    await world.database.db
      .updateTable('assignments')
      .set({ ended_at: new Date() })
      .where('id', '=', old.assignmentId!)
      .execute();
    const of = async (active?: 'true' | 'false', by: Person = owner) =>
      (
        await by.client.listDeviceBindings({
          params: { userId: owner.userUuid },
          query: { ...(active !== undefined && { active }) },
        })
      ).items.map(({ deviceUuid }) => deviceUuid);
    expect(await of()).toEqual([current.deviceUuid, old.deviceUuid]);
    expect(await of('true', admin)).toEqual([current.deviceUuid]);
    expect(await of('false')).toEqual([old.deviceUuid]);
    await expect(of(undefined, user)).rejects.toMatchObject({ status: 404 });
    const { binding } = await owner.client.getBinding({ params: { id: current.deviceUuid } });
    expect(binding).toMatchObject({
      userId: owner.userUuid,
      email: owner.email,
      assignment: 1,
      unboundAt: null,
    });
    await expect(admin.client.listDeviceBindings({ params: { userId: randomUUID() } })).rejects.toMatchObject(
      { code: 'NOT_FOUND' },
    );
  });

  it('end by unbind, which is the release', async () => {
    const device = await world.device(user);
    await user.client.unbindDevice({ params: { id: device.deviceUuid } });
    expect(world.released.at(-1)).toMatchObject({
      deviceUuid: device.deviceUuid,
      actorUserId: user.userId,
      assignmentId: device.assignmentId,
    });
  });
});
