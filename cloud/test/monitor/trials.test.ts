import { randomUUID } from 'node:crypto';
import { topics } from '@ares/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMonitorRepository, type MonitorRepository } from '../../src/monitor/repository.ts';
import { tryOffline, tryRoundTrip } from '../../src/monitor/trials.ts';
import type { BrokerLink } from '../../src/ports/broker-link.ts';
import { createDeviceDirectory, type DeviceDirectory } from '../../src/telemetry/directory.ts';
import { createDirectoryRepository } from '../../src/telemetry/directory-repository.ts';
import type { KnownDevice } from '../../src/telemetry/types.ts';
import { openService } from '../support/broker-service.ts';
import { type LiveWorld, liveWorld } from '../support/live-world.ts';
import { hearNotices } from '../support/notices.ts';
import { until } from '../support/quiet.ts';

let world: LiveWorld;
let link: BrokerLink;
let directory: DeviceDirectory;
let repository: MonitorRepository;
beforeAll(async () => {
  world = await liveWorld({ quarantine: false });
  link = await openService(world, 'ares-operator');
  directory = createDeviceDirectory({
    repository: createDirectoryRepository(world.database),
    database: world.database,
    secrets: world.secrets,
    clock: world.clock,
  });
  repository = createMonitorRepository(world.database);
}, 60_000);
afterAll(async () => {
  directory?.close();
  await link?.close();
  await world?.close();
});

const ports = () => ({ link, repository, clock: world.clock, newUuid: randomUUID });
const known = async (deviceUuid: string): Promise<KnownDevice> => (await directory.load(deviceUuid))!;
const rowsOf = (deviceUuid: string) =>
  world.database.db
    .selectFrom('audit_log')
    .select(['action', 'detail'])
    .where('object_id', '=', deviceUuid)
    .execute();

async function connected() {
  const device = await world.newDevice();
  await device.birth();
  await until(
    async () => (await repository.connection(device.deviceUuid)).presence === 'ONLINE',
    'the birth',
  );
  return device;
}

describe('ares mqtt publish-test', () => {
  it('goes through the broker and back, and neither device nor cloud takes notice', async () => {
    const device = await connected();
    const heard = device.orders.length;
    const trip = await tryRoundTrip(ports(), await known(device.deviceUuid));
    expect(trip).toMatchObject({
      topic: topics.operatorTest.build(device),
      signed: true,
      presence: 'ONLINE',
    });
    expect(trip.roundTripMs).toBeGreaterThan(0);
    expect(device.orders).toHaveLength(heard);
    expect(await rowsOf(device.deviceUuid)).toEqual([]);
  });

  it('says so when the message does not come back', async () => {
    const device = await world.newDevice();
    const deaf = { ...link, subscribe: async () => async () => undefined };
    await expect(
      tryRoundTrip({ ...ports(), link: deaf }, await known(device.deviceUuid), 50),
    ).rejects.toMatchObject({ code: 'LOST' });
  });
});

describe('ares mqtt publish-offline', () => {
  it('has the cloud believe it, is audited before, and has the device connect anew', async () => {
    const device = await connected();
    const probe = { deviceUuid: 'probe', reason: 'probe' };
    const { heard, stop } = await hearNotices(world.database, 'endSession', probe);
    const test = await tryOffline(ports(), await known(device.deviceUuid), {
      reason: 'a drill',
      reconnect: true,
    });
    expect(test).toMatchObject({ before: 'ONLINE', after: 'OFFLINE', reconnected: true });
    expect(await rowsOf(device.deviceUuid)).toEqual([
      { action: 'device.offline-test', detail: { reason: 'a drill' } },
    ]);
    const { db } = world.database;
    const events = await db
      .selectFrom('security_events')
      .select('code')
      .where('device_id', '=', device.deviceId)
      .execute();
    expect(events).toEqual([{ code: 'OFFLINE_TEST' }]);
    await until(() => heard.some(({ deviceUuid }) => deviceUuid === device.deviceUuid), 'the notice');
    stop();
  });

  it('leaves the device alone where that is wanted', async () => {
    const device = await connected();
    const probe = { deviceUuid: 'probe', reason: 'probe' };
    const { heard, stop } = await hearNotices(world.database, 'endSession', probe);
    await tryOffline(ports(), await known(device.deviceUuid), { reason: 'a drill', reconnect: false });
    await repository.reconnect(randomUUID());
    await until(() => heard.some(({ reason }) => reason === 'a test of an operator'), 'a later notice');
    expect(heard.map(({ deviceUuid }) => deviceUuid)).not.toContain(device.deviceUuid);
    stop();
  });

  it('says nothing in the name of a device that is away or nobody’s', async () => {
    const device = await world.newDevice();
    const options = { reason: 'a drill', reconnect: true };
    await expect(tryOffline(ports(), await known(device.deviceUuid), options)).rejects.toMatchObject({
      code: 'NOT_CONNECTED',
    });
    const owned = await known(device.deviceUuid);
    for (const nobody of [
      { ...owned, assignment: undefined },
      { ...owned, keys: [] },
      { ...owned, lifeCycle: 'BLOCKED' as const },
    ])
      await expect(tryOffline(ports(), nobody, options)).rejects.toMatchObject({ code: 'NOT_OWNED' });
    expect(await rowsOf(device.deviceUuid)).toEqual([]);
  });
});

it('a device is found by its UUID, the beginning of it or its nickname, and nothing else', async () => {
  const { deviceUuid, deviceId } = await world.newDevice();
  const { db } = world.database;
  await db.updateTable('devices').set({ nickname: 'basil' }).where('id', '=', deviceId).execute();
  for (const text of [deviceUuid, deviceUuid.slice(0, 20), 'basil'])
    expect(await repository.find(text)).toEqual([deviceUuid]);
  for (const text of ['basi', deviceUuid.slice(1), '%', '_'.repeat(36)])
    expect(await repository.find(text)).toEqual([]);
});
