import { afterEach, describe, expect, it } from 'vitest';
import { hasRedis, type RedisServer, startRedisServer } from '../../../test/support/redis-server.ts';
import { openRedisConnection } from '../../src/adapters/redis-connection.ts';
import { createRedisStateStore } from '../../src/adapters/redis-state-store.ts';
import { createLiveState, type LiveState } from '../../src/state/live-state.ts';
import { parseRedisUrl } from '../../src/state/redis-url.ts';
import { createStateRepository } from '../../src/state/repository.ts';
import { type LiveDevice, type LiveWorld, liveWorld } from '../support/live-world.ts';
import { type FakeClock, fakeClock, silentLogger, until } from '../support/quiet.ts';

const SILENT_MS = 90_000;

let server: RedisServer;
let world: LiveWorld;
let clock: FakeClock;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  server?.signal('SIGCONT');
  await world?.close();
  for (const close of closing.splice(0)) await close();
  await server?.stop();
});

/** Each as in a process of its own. */
const openStore = () => {
  const connection = openRedisConnection({
    url: parseRedisUrl(server.url),
    name: 'ares-test',
    log: silentLogger,
    times: { commandMs: 500, probeMs: 50 },
  });
  closing.push(() => connection.close());
  return createRedisStateStore({ connection, prefix: 'test:', idleMs: 3_600_000 });
};
const begin = async () => {
  server = await startRedisServer();
  clock = fakeClock();
  world = await liveWorld({ store: openStore(), clock });
  const device = await world.newDevice({ types: ['dht22'] });
  await device.birth();
  await device.readings([device.reading(1, { value: 1 })]);
  await until(async () => (await world.state.document(device.deviceUuid))?.['dht22_temp'] === 1, 'the value');
  return device;
};
const other = async (role: 'writer' | 'reader') => {
  let looks = 0;
  const real = createStateRepository(world.database);
  const state = await createLiveState({
    store: openStore(),
    repository: {
      ...real,
      async state(deviceUuid) {
        looks += 1;
        return real.state(deviceUuid);
      },
    },
    database: world.database,
    clock,
    log: silentLogger,
    role,
  });
  closing.push(() => state.close());
  return { state, looks: () => looks };
};
const statusIn = async (state: LiveState, device: LiveDevice) =>
  (await state.document(device.deviceUuid))?.device_status;

describe.skipIf(!hasRedis())('live state that processes share (needs the program redis-server)', () => {
  it('reaches another process without a look at the tables, and its readers are told', async () => {
    const device = await begin();
    const reader = await other('reader');
    expect((await reader.state.document(device.deviceUuid))?.['dht22_temp']).toBe(1);
    const before = reader.looks();
    const told = new Set<string>();
    reader.state.onChange((deviceUuid) => told.add(deviceUuid));
    await device.readings([device.reading(2, { value: 2 })]);
    await until(() => told.has(device.deviceUuid), 'the notice');
    expect((await reader.state.document(device.deviceUuid))?.['dht22_temp']).toBe(2);
    expect(reader.looks()).toBe(before);
  });

  it('NET-03 declares a silent device Timeout also when Redis was emptied meanwhile', async () => {
    const device = await begin();
    await world.state.sweep(SILENT_MS);
    await server.client().flushall();
    clock.advance(SILENT_MS + 60_000);
    await world.state.sweep(SILENT_MS);
    expect(await statusIn(world.state, device)).toBe('Timeout');
    await device.readings([device.reading(2)]);
    await until(async () => (await statusIn(world.state, device)) === 'ONLINE', 'the revival');
  });

  it('NET-03 counts births and wills while Redis is away, and shows the same afterwards', async () => {
    const device = await begin();
    const { state: reader } = await other('reader');
    await server.kill();
    await device.will();
    await until(async () => (await statusIn(reader, device)) === 'OFFLINE', 'the will');
    const second = '00000000-0000-4000-8000-000000000002';
    await device.birth({ connectionId: second });
    await until(async () => (await statusIn(reader, device)) === 'ONLINE', 'the birth');
    await device.will();
    await device.readings([device.reading(2, { value: 22 })]);
    await until(async () => (await reader.document(device.deviceUuid))?.['dht22_temp'] === 22, 'the value');
    expect(await statusIn(reader, device)).toBe('ONLINE');
    await server.start();
    await until(() => world.store.healthy(), 'Redis');
    expect(await statusIn(reader, device)).toBe('ONLINE');
    expect((await reader.document(device.deviceUuid))?.['dht22_temp']).toBe(22);
    clock.advance(SILENT_MS + 60_000);
    await world.state.sweep(SILENT_MS);
    expect(await statusIn(reader, device)).toBe('Timeout');
  });

  it('is not believed by a process that starts: one that died may have stored what Redis was not told', async () => {
    const device = await begin();
    // What a process leaves that was killed between the two.
    await world.database.db.updateTable('devices').set({ presence: 'OFFLINE' }).execute();
    expect(await statusIn(world.state, device)).toBe('ONLINE');
    const { state } = await other('writer');
    await until(async () => (await statusIn(state, device)) === 'OFFLINE', 'what the tables say');
    expect(await statusIn(world.state, device)).toBe('OFFLINE');
  });

  it('is swept by one process only', async () => {
    const device = await begin();
    const { state: second } = await other('writer');
    await world.state.sweep(SILENT_MS);
    clock.advance(SILENT_MS + 60_000);
    await second.sweep(SILENT_MS);
    expect(await statusIn(second, device)).toBe('ONLINE');
    await world.state.sweep(SILENT_MS);
    expect(await statusIn(second, device)).toBe('Timeout');
  });
});
