import { randomUUID } from 'node:crypto';
import { topics } from '@ares/protocol';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReleaseService } from '../../src/release/service.ts';
import { type CredentialsWorld, credentialsWorld, outcome } from '../support/credentials-world.ts';
import { silentLogger } from '../support/quiet.ts';
import type { TestDevice } from '../support/test-device.ts';

let world: CredentialsWorld;
beforeAll(async () => {
  world = await credentialsWorld();
});
afterAll(() => world.close());

async function owned() {
  const [owner, device] = [await world.user(), await world.device()];
  const answer = await world.claimed(owner, device);
  const by = { deviceUuid: device.deviceUuid, actorUserId: owner.userId };
  return { owner, device, answer, by };
}
const orderTo = (device: TestDevice) => {
  const topic = topics.systemReset.build({ deviceUuid: device.deviceUuid });
  return world.published.filter((message) => message.topic === topic).map(({ payload }) => payload);
};
interface StoredRow {
  readonly id: number;
  readonly detached_at: Date | null;
  readonly status: string;
  readonly code: string;
  readonly seq: number;
}
const rows = (table: 'assignment_secrets' | 'attached_components' | 'commands', device: TestDevice) =>
  world.database.db
    .selectFrom(table)
    .innerJoin('assignments as a', 'a.id', `${table}.assignment_id`)
    .innerJoin('devices as d', 'd.id', 'a.device_id')
    .where('d.device_uuid', '=', device.deviceUuid)
    .selectAll(table)
    .execute() as unknown as Promise<StoredRow[]>;

async function attachedPump(device: TestDevice, userId: number) {
  const { db } = world.database;
  const { id: assignmentId, device_id: deviceId } = await db
    .selectFrom('assignments as a')
    .innerJoin('devices as d', 'd.id', 'a.device_id')
    .where('d.device_uuid', '=', device.deviceUuid)
    .where('a.ended_at', 'is', null)
    .select(['a.id', 'a.device_id'])
    .executeTakeFirstOrThrow();
  const { id: typeId } = await db
    .selectFrom('supported_components')
    .where('component_type', '=', 'pump')
    .select('id')
    .executeTakeFirstOrThrow();
  const { id: componentId } = await db
    .insertInto('attached_components')
    .values({
      device_id: deviceId,
      assignment_id: assignmentId,
      component_type_id: typeId,
      pins: '{"signal":17}',
      config: '{}',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  for (const [i, published] of [null, new Date()].entries())
    await db
      .insertInto('commands')
      .values({
        id: crypto.randomUUID(),
        device_id: deviceId,
        assignment_id: assignmentId,
        component_id: componentId,
        user_id: userId,
        action: 'on',
        args: '{}',
        seq: i + 1,
        topic: 'commands/x',
        jws: 'x',
        expires_at: new Date(),
        published_at: published,
      })
      .execute();
  return componentId;
}

describe('when the owner unlinks a device', () => {
  it('ends everything of his in one go, and tells the device by an order of that assignment', async () => {
    const { owner, device, answer, by } = await owned();
    await attachedPump(device, owner.userId);
    await world.release.release(by);

    expect(await world.lifeCycle(device)).toBe('RELEASED');
    expect(await rows('assignment_secrets', device)).toEqual([]);
    expect((await rows('attached_components', device)).map((row) => row.detached_at)).toEqual([
      expect.any(Date),
    ]);
    const commands = await rows('commands', device);
    expect(commands.toSorted((a, b) => a.seq - b.seq).map(({ status, code }) => `${status} ${code}`)).toEqual(
      ['REJECTED ASSIGNMENT_ENDED', 'UNKNOWN ASSIGNMENT_ENDED'],
    );
    const [order] = orderTo(device);
    expect(decodeProtectedHeader(order!)).toMatchObject({ alg: 'EdDSA', typ: 'reset+jwt' });
    expect(decodeJwt(order!)).toMatchObject({
      aud: device.deviceUuid,
      asg: answer.assignment,
      topic: `system/${device.deviceUuid}/reset`,
      jti: expect.any(String),
    });
  });

  it('leaves the session three seconds to hear the order, then revokes the certificate', async () => {
    const { device, answer, by } = await owned();
    const ended: string[] = [];
    let done: () => void = () => undefined;
    const heard = new Promise<void>((resolve) => {
      done = resolve;
    });
    // The listening connection says by `missed` that it is up; a notice before that would not be heard.
    await new Promise<void>((up) => {
      world.database.listen(
        'endSession',
        ({ deviceUuid, reason }) => {
          if (deviceUuid !== device.deviceUuid) return;
          ended.push(reason);
          done();
        },
        up,
      );
    });
    await world.release.release(by);
    world.clock.advance(2_999);
    await world.release.finishDue();
    expect(await world.certificates.current(answer.certificateSerial)).toBeDefined();
    world.clock.advance(1);
    await world.release.finishDue();
    expect(await world.certificates.current(answer.certificateSerial)).toBeUndefined();
    await heard;
    expect(ended).toEqual(['released']);
    expect(await world.release.finishDue()).toBe(0);
  });

  it('changes nothing for whom the device belongs to by then', async () => {
    const { owner, device, answer, by } = await owned();
    const { id: first } = await world.database.db
      .selectFrom('assignments as a')
      .innerJoin('devices as d', 'd.id', 'a.device_id')
      .where('d.device_uuid', '=', device.deviceUuid)
      .select('a.id')
      .executeTakeFirstOrThrow();
    // Asked while the first assignment ran, done when the second one does.
    const again = await world.claimed(owner, device);
    for (const late of [world.release.release, world.recovery.revoke, world.recovery.token])
      expect(await outcome<unknown>(late({ ...by, assignmentId: first }))).toBe('NOT_FOUND');
    expect(again.assignment).toBe(answer.assignment + 1);
    expect(await world.lifeCycle(device)).toBe('ACTIVE');
    expect(await world.certificates.current(again.certificateSerial)).toBeDefined();
    expect(orderTo(device)).toEqual([]);
  });

  it('leaves nobody to think that the device is still there', async () => {
    const { device, by } = await owned();
    const [gone, kept] = [device, (await owned()).device];
    const online = [gone.deviceUuid, kept.deviceUuid];
    const { db } = world.database;
    await db.updateTable('devices').set({ presence: 'ONLINE' }).where('device_uuid', 'in', online).execute();
    await world.release.release(by);
    world.clock.advance(3_000);
    await world.release.finishDue();
    const rows = await db
      .selectFrom('devices')
      .where('device_uuid', 'in', online)
      .select(['device_uuid', 'presence'])
      .execute();
    expect(Object.fromEntries(rows.map((row) => [row.device_uuid, row.presence]))).toEqual({
      [gone.deviceUuid]: 'OFFLINE',
      [kept.deviceUuid]: 'ONLINE',
    });
  });

  it('is finished by another process when the first was killed after the commit', async () => {
    const { device, answer, by } = await owned();
    await world.release.release(by);
    world.clock.advance(60_000);
    const next = world.replica().release;
    next.start();
    await expect
      .poll(() => world.certificates.current(answer.certificateSerial), { timeout: 5_000 })
      .toBeUndefined();
    await next.stop();
    expect((await world.certificatesOf(device)).map(({ status }) => status)).toEqual(['REVOKED']);
  });

  it('finishes at once on the receipt, which may come twice', async () => {
    const { device, answer, by } = await owned();
    await world.release.release(by);
    const orderId = decodeJwt(orderTo(device)[0]!).jti!;
    const receipt = device.receipt(await world.nonce(device), answer.assignment, orderId);
    await world.receipts.accept(receipt);
    expect(await world.certificates.current(answer.certificateSerial)).toBeUndefined();
    await world.receipts.accept(receipt);
    expect(await outcome(world.receipts.accept({ ...receipt, orderId: crypto.randomUUID() }))).toBe(
      'BAD_SIGNATURE',
    );
    const wrong = device.receipt(await world.nonce(device), answer.assignment, crypto.randomUUID());
    expect(await outcome(world.receipts.accept(wrong))).toBe('NOT_FOUND');
  });

  it('refuses every grant of the old assignment, and can be claimed by the next owner at once', async () => {
    const { device, answer, by } = await owned();
    await world.release.release(by);
    const certificate = { deviceUuid: device.deviceUuid, certificateSerial: answer.certificateSerial };
    for (const grant of ['renew', 'identity'] as const) {
      const request = await device.request({ grant, nonce: await world.nonce(device) });
      expect(await outcome(world.credentials.request(request, certificate))).toBe('ASSIGNMENT_ENDED');
    }
    const next = await world.user();
    const fresh = await world.claimed(next, device);
    expect(fresh).toMatchObject({ assignment: 2, kid: 'a2.1', userEmail: next.email });
    // What was left to do of the release must not hit the new owner's session.
    world.clock.advance(3_000);
    expect(await world.release.finishDue()).toBe(0);
    expect(await world.certificates.current(fresh.certificateSerial)).toBeDefined();
    expect(await world.certificates.current(answer.certificateSerial)).toBeUndefined();
  });

  it('is done once when it is asked for twice at the same moment', async () => {
    const { device, by } = await owned();
    // Both have found the running assignment before either ends it.
    let signing = 0;
    let open: () => void = () => undefined;
    const both = new Promise<void>((go) => {
      open = go;
    });
    const { database, clock, published } = world;
    const release = createReleaseService({
      database,
      clock,
      log: silentLogger,
      newUuid: randomUUID,
      broker: { publish: async (topic, payload) => void published.push({ topic, payload: String(payload) }) },
      orders: {
        async sign(type, claims) {
          signing += 1;
          if (signing === 2) open();
          await both;
          return world.orders.sign(type, claims);
        },
      },
    });
    const twice = await Promise.all([outcome(release.release(by)), outcome(release.release(by))]);
    expect(twice.filter((answer) => answer === 'CONFLICT')).toHaveLength(1);
    expect(orderTo(device)).toHaveLength(1);
  });

  it('stays locked when its key may be stolen: only an administrator opens it again', async () => {
    const { device, by } = await owned();
    await world.recovery.revoke(by);
    await world.release.release(by);
    expect(await world.lifeCycle(device)).toBe('RECOVERY_NEEDED');
    expect(await outcome(world.claims.claim(device.claimBody, await world.user()))).toBe('RECOVERY_NEEDED');
  });
});

describe('when a device was reset without an order', () => {
  it('stays with its owner, who is told; only its credentials end', async () => {
    const { owner, device, answer } = await owned();
    await world.receipts.accept(device.receipt(await world.nonce(device), answer.assignment, null));
    expect(await world.lifeCycle(device)).toBe('ACTIVE');
    expect(await world.certificates.current(answer.certificateSerial)).toBeUndefined();
    expect(await world.alertsOf(device)).toEqual(['RESET_WITHOUT_ORDER']);
    expect(await outcome(world.claims.claim(device.claimBody, await world.user()))).toBe('DEVICE_OWNED');
    expect(await world.claimed(owner, device)).toMatchObject({ assignment: 2 });
  });
});

describe('when the owner claims his own device again', () => {
  it('keeps what is wired to it, under the same ids', async () => {
    const { owner, device } = await owned();
    const componentId = await attachedPump(device, owner.userId);
    await world.claimed(owner, device);
    const [pump] = await rows('attached_components', device);
    expect(pump).toMatchObject({ id: componentId, detached_at: null });
  });
});
