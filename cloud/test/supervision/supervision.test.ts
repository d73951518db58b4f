import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRecoveryService } from '../../src/credentials/recovery-service.ts';
import { listRevoked } from '../../src/pki/certificate-repository.ts';
import { createCertificateStatus } from '../../src/pki/certificate-status.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';
import { hearNotices } from '../support/notices.ts';
import { until } from '../support/quiet.ts';

type Person = Awaited<ReturnType<HttpWorld['person']>>;

let world: HttpWorld;
let admin: Person;
let owner: Person;
let device: Awaited<ReturnType<HttpWorld['device']>>;
let params: { id: string };
beforeAll(async () => {
  world = await httpWorld();
  [admin, owner] = [await world.person(['general_admin']), await world.person()];
});
beforeEach(async () => {
  device = await world.device(owner);
  params = { id: device.deviceUuid };
  await setLifeCycle('ACTIVE');
});
afterAll(() => world.close());

const setLifeCycle = (lifeCycle: 'ACTIVE' | 'QUARANTINED') =>
  world.database.db
    .updateTable('devices')
    .set({ life_cycle: lifeCycle })
    .where('id', '=', device.deviceId)
    .execute();
const lifeCycle = async () => (await admin.client.getDevice({ params })).lifeCycle;
const body = { reason: 'stolen from the greenhouse' };

async function certificate(): Promise<string> {
  const serial = randomBytes(16).toString('hex');
  await world.database.db
    .insertInto('certificates')
    .values({
      device_id: device.deviceId,
      assignment_id: device.assignmentId!,
      serial,
      spki_hash: randomBytes(32).toString('hex'),
      chain_pem: 'chain',
      not_before: new Date(world.clock.now()),
      not_after: new Date(world.clock.now() + 86_400_000),
      status: 'ACTIVE',
      request_hash: serial,
    })
    .execute();
  return serial;
}

describe('a device that is blocked', () => {
  it('has its certificate refused and listed, its session ended, and all of it back afterwards', async () => {
    const serial = await certificate();
    const status = createCertificateStatus(world);
    const listed = async () =>
      (await listRevoked(world.database.db, new Date(world.clock.now()))).some(
        (one) => one.serial === serial,
      );
    const probe = { deviceUuid: 'probe', reason: 'probe' };
    const { heard, stop } = await hearNotices(world.database, 'endSession', probe);
    const ended = (reason: string) =>
      heard.some((notice) => notice.deviceUuid === params.id && notice.reason === reason);
    expect([await status.current(serial), await listed()]).toMatchObject([{ serial }, false]);

    await admin.client.blockDevice({ params, body });
    expect(await lifeCycle()).toBe('BLOCKED');
    expect([await status.current(serial), await listed()]).toEqual([undefined, true]);
    await until(() => ended('blocked'), 'the end of its session');
    await expect(admin.client.blockDevice({ params, body })).rejects.toMatchObject({ code: 'CONFLICT' });

    await admin.client.unblockDevice({ params, body: { reason: 'found again' } });
    expect(await lifeCycle()).toBe('ACTIVE');
    expect([await status.current(serial), await listed()]).toMatchObject([{ serial }, false]);
    // Lists that name it are made anew on this notice.
    await until(() => ended('unblocked'), 'the notice');
    stop();
    await expect(admin.client.unblockDevice({ params, body })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('comes back as what it was: in quarantine, or nobody’s when it was given away meanwhile', async () => {
    await setLifeCycle('QUARANTINED');
    await admin.client.blockDevice({ params, body });
    await admin.client.unblockDevice({ params, body });
    expect(await lifeCycle()).toBe('QUARANTINED');
    await setLifeCycle('ACTIVE');
    await admin.client.blockDevice({ params, body });
    await world.database.db
      .updateTable('assignments')
      .set({ ended_at: new Date() })
      .where('id', '=', device.assignmentId!)
      .execute();
    await admin.client.unblockDevice({ params, body });
    expect(await lifeCycle()).toBe('RELEASED');
  });

  it('needs recovery when its credentials were revoked meanwhile', async () => {
    await certificate();
    await admin.client.blockDevice({ params, body });
    const recovery = createRecoveryService({
      ...world,
      random: randomBytes,
      config: { deviceApiUrl: 'https://devices.test:8443' },
    });
    await recovery.revoke({ deviceUuid: params.id, actorUserId: owner.userId });
    expect(await lifeCycle()).toBe('BLOCKED');
    await admin.client.unblockDevice({ params, body });
    expect(await lifeCycle()).toBe('RECOVERY_NEEDED');
  });

  it('is blocked by administrators only, with a reason, which is audited', async () => {
    await expect(owner.client.blockDevice({ params, body })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(admin.client.blockDevice({ params, body: { reason: ' ' } })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
    await admin.client.blockDevice({ params, body });
    const audit = await world.database.db
      .selectFrom('audit_log')
      .select(['action', 'actor_user_id', 'detail'])
      .where('object_id', '=', params.id)
      .where('action', '=', 'device.block')
      .execute();
    expect(audit).toEqual([{ action: 'device.block', actor_user_id: admin.userId, detail: body }]);
    const { items } = await admin.client.listSecurityEvents({ params, query: { code: 'DEVICE_BLOCKED' } });
    expect(items).toMatchObject([{ code: 'DEVICE_BLOCKED', detail: body }]);
  });
});

describe('a device in quarantine', () => {
  it('is trusted again, and its alert is resolved with the reason', async () => {
    await expect(admin.client.liftQuarantine({ params, body })).rejects.toMatchObject({ code: 'CONFLICT' });
    await setLifeCycle('QUARANTINED');
    await world.database.db
      .insertInto('alerts')
      .values({ kind: 'COMPROMISE_SUSPECTED', device_id: device.deviceId, detail: '{}' })
      .execute();
    await admin.client.liftQuarantine({ params, body });
    expect(await lifeCycle()).toBe('ACTIVE');
    const { items } = await admin.client.listAlerts({ query: { deviceUuid: params.id } });
    expect(items).toMatchObject([{ resolvedAt: expect.any(String), resolution: body.reason }]);
  });
});

describe('alerts', () => {
  const raise = async (kind: string, at = new Date()) => {
    const { id } = await world.database.db
      .insertInto('alerts')
      .values({ kind, device_id: device.deviceId, detail: '{"userId":7}', at })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  };

  it('are seen by the owner since the device is his, without the evidence, and by nobody else', async () => {
    await raise('OLD', new Date(2020, 0, 1));
    const alertId = await raise('CLAIM_OF_OWNED_DEVICE');
    const viewer = await world.person();
    await world.share(device.assignmentId!, viewer);
    const query = { deviceUuid: params.id };
    const mine = (await owner.client.listAlerts({ query })).items;
    expect(mine).toMatchObject([{ alertId, kind: 'CLAIM_OF_OWNED_DEVICE', deviceUuid: params.id }]);
    expect(mine[0]).not.toHaveProperty('detail');
    expect((await viewer.client.listAlerts()).items).toEqual([]);
    expect((await (await world.person()).client.listAlerts()).items).toEqual([]);
    const all = (await admin.client.listAlerts({ query })).items;
    expect(all.map(({ kind, detail }) => [kind, detail])).toEqual([
      ['CLAIM_OF_OWNED_DEVICE', { userId: 7 }],
      ['OLD', { userId: 7 }],
    ]);
  });

  it('are tried out with one that says so, which the owner hears of and administrators resolve', async () => {
    const test = { deviceUuid: params.id, note: 'does this arrive?' };
    await expect(owner.client.testAlert({ body: test })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { alertId } = await admin.client.testAlert({ body: test });
    const [mine] = (await owner.client.listAlerts({ query: { deviceUuid: params.id } })).items;
    expect(mine).toMatchObject({ alertId, kind: 'TEST', resolvedAt: null });
    // Due by the clock of the database.
    world.clock.advance(60_000);
    while ((await world.parts.postman.round()) > 0);
    const told = world.parts.letters.filter(({ subject }) => subject === 'Alert: Test');
    expect(told.map(({ to }) => to).toSorted()).toEqual(expect.arrayContaining([admin.email, owner.email]));
    const general = await admin.client.testAlert({ body: {} });
    expect(general).toMatchObject({ kind: 'TEST', deviceUuid: null, detail: { test: true } });
    const { items } = await admin.client.listAlerts({ query: { kind: 'TEST' } });
    expect(items.map((item) => item.alertId)).toEqual([general.alertId, alertId]);
    await expect(
      admin.client.testAlert({ body: { deviceUuid: '00000000-0000-4000-8000-000000000000' } }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const audit = await world.database.db
      .selectFrom('audit_log')
      .select(['object_id', 'actor_user_id', 'detail'])
      .where('action', '=', 'alert.test')
      .orderBy('id')
      .execute();
    expect(audit).toMatchObject([
      { object_id: String(alertId), actor_user_id: admin.userId, detail: { deviceUuid: params.id } },
      { object_id: String(general.alertId), actor_user_id: admin.userId },
    ]);
  });

  it('are resolved once, by an administrator who says how', async () => {
    const alertId = await raise('BROKER_SUSPECTED');
    const resolve = (by: Person) =>
      by.client.resolveAlert({ params: { alertId }, body: { resolution: 'it was the network' } });
    await expect(resolve(owner)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await resolve(admin)).toMatchObject({ alertId, resolution: 'it was the network' });
    await expect(resolve(admin)).rejects.toMatchObject({ code: 'CONFLICT' });
    const open = await admin.client.listAlerts({ query: { open: 'true', deviceUuid: params.id } });
    expect(open.items).toEqual([]);
    await expect(
      admin.client.resolveAlert({ params: { alertId: 2_000_000_000 }, body: { resolution: 'none' } }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
