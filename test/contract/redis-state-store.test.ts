import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRedisConnection, type RedisConnection } from '../../cloud/src/adapters/redis-connection.ts';
import { createRedisStateStore } from '../../cloud/src/adapters/redis-state-store.ts';
import type { DeviceState, StateStore } from '../../cloud/src/ports/state-store.ts';
import { parseRedisUrl } from '../../cloud/src/state/redis-url.ts';
import { silentLogger, until } from '../../cloud/test/support/quiet.ts';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { hasRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { describeStateStore } from './state-store-suite.ts';

const IDLE_MS = 60_000;
const connect = (url: string) =>
  openRedisConnection({
    url: parseRedisUrl(url),
    name: 'ares-test',
    log: silentLogger,
    times: { commandMs: 500, probeMs: 50, firstMs: 500 },
  });
const storeOn = (connection: RedisConnection, over: { prefix?: string; idleMs?: number } = {}) =>
  createRedisStateStore({ connection, prefix: `${randomUUID()}:`, idleMs: IDLE_MS, ...over });
const online = (seen: number): DeviceState => ({
  presence: 'ONLINE',
  connectionId: 'c',
  lastSeen: seen,
  values: [{ componentId: 1, metric: 't', value: seen, measuredAt: seen, bootCount: 1, seq: seen }],
  health: [{ componentId: 1, status: 'OK', bootCount: 1, uptimeMs: 1 }],
});
const fill = async (store: StateStore, device: string, state: DeviceState) =>
  await store.refill(device, state, await store.stamp(device));
const answersAgain = (store: StateStore) => until(() => store.healthy(), 'a store that answers again');

describe.skipIf(!hasRedis())('on a real redis-server (needs the program redis-server)', () => {
  let server: RedisServer;
  let connection: RedisConnection;
  beforeAll(async () => {
    server = await startRedisServer();
    connection = connect(server.url);
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  describeStateStore('the state store in Redis', async () => storeOn(connection));

  it('keeps everything of a device under one hash tag, and nothing else but index, epoch and lease', async () => {
    const prefix = `${randomUUID()}:`;
    const store = storeOn(connection, { prefix });
    const device = randomUUID();
    await fill(store, device, online(1_000));
    await store.leadsSweep(1_000);
    const keys = (await server.client().keys(`${prefix}*`)).map((key) => key.slice(prefix.length)).sort();
    const shard = Number.parseInt(device.slice(0, 8), 16) % 16;
    expect(keys).toEqual([`dev:{${device}}`, 'epoch', `seen:{s${shard}}`, 'sweep'].sort());
  });

  it('lets the state of an idle device go, and cleans the index when somebody looks', async () => {
    const store = storeOn(connection, { idleMs: 80 });
    const device = randomUUID();
    await fill(store, device, online(1_000));
    await store.apply(device, { values: [], health: [], seenAt: 2_000 });
    expect(await store.get(device)).toBeDefined();
    await until(async () => (await store.get(device)) === undefined, 'the entry to leave');
    // The index still names it: who looks refills it from the tables, and then it counts.
    expect(await store.overdue(50_000, 10)).toEqual([device]);
    await fill(store, device, { ...online(2_000), presence: 'OFFLINE' });
    expect(await store.overdue(50_000, 10)).toEqual([]);
    expect(await store.overdue(1e12, 10)).toEqual([]);
  });

  it('touches the index at most every few seconds, and still never calls a device overdue that was seen', async () => {
    const prefix = `${randomUUID()}:`;
    const store = storeOn(connection, { prefix });
    const device = randomUUID();
    await fill(store, device, online(10_000));
    const score = () =>
      server.client().zscore(`${prefix}seen:{s${Number.parseInt(device.slice(0, 8), 16) % 16}}`, device);
    await store.apply(device, { values: [], health: [], seenAt: 14_000 });
    expect(await score()).toBe('10000');
    expect(await store.overdue(12_000, 10)).toEqual([]);
    expect(await score()).toBe('14000');
    await store.apply(device, { values: [], health: [], seenAt: 16_000 });
    expect(await score()).toBe('16000');
  });

  it('goes on when the scripts were forgotten', async () => {
    const store = storeOn(connection);
    const device = randomUUID();
    await fill(store, device, online(1));
    await server.client().script('FLUSH');
    expect(await store.apply(device, { values: online(2).values, health: [], seenAt: 2 })).toBe('changed');
    expect((await store.get(device))?.values).toEqual(online(2).values);
  });

  it('lets one of several processes sweep, and another one when it is gone', async () => {
    const prefix = `${randomUUID()}:`;
    const [first, second] = [storeOn(connection, { prefix }), storeOn(connection, { prefix })];
    expect(await first.leadsSweep(100)).toBe(true);
    expect(await second.leadsSweep(100)).toBe(false);
    expect(await first.leadsSweep(100)).toBe(true);
    await until(() => second.leadsSweep(60_000), 'the lease to end');
    expect(await first.leadsSweep(100)).toBe(false);
  });
});

describe.skipIf(!hasRedis())('when Redis fails (needs the program redis-server)', () => {
  const withServer = async (
    test: (parts: { server: RedisServer; store: StateStore; device: string }) => Promise<void>,
  ) => {
    const server = await startRedisServer();
    const connection = connect(server.url);
    const store = storeOn(connection);
    const device = randomUUID();
    try {
      await fill(store, device, online(1));
      await test({ server, store, device });
    } finally {
      server.signal('SIGCONT');
      await connection.close();
      await server.stop();
    }
  };

  it('NET-03 notices that it was emptied: another epoch, and a device that it does not know', () =>
    withServer(async ({ server, store, device }) => {
      const before = await store.epoch();
      await server.client().flushall();
      expect(await store.get(device)).toBeUndefined();
      expect(await store.epoch()).not.toBe(before);
      expect(await store.apply(device, { values: [], health: [], seenAt: 2 })).toBe('missing');
    }));

  it('NET-03 says that it is away at once, and is empty and well after a crash', () =>
    withServer(async ({ server, store, device }) => {
      await server.kill();
      await expect(store.get(device)).rejects.toMatchObject({ code: 'STATE_STORE_AWAY' });
      expect(await store.healthy()).toBe(false);
      await server.start();
      await answersAgain(store);
      expect(await store.get(device)).toBeUndefined();
      await fill(store, device, online(5));
      expect((await store.get(device))?.lastSeen).toBe(5);
    }));

  it('NET-03 believes nothing that it wrote before it was interrupted, as an old copy may have come back', () =>
    withServer(async ({ server, store, device }) => {
      await server.client().save();
      await fill(store, device, online(9));
      await server.kill();
      await server.start();
      await answersAgain(store);
      // The file holds the entry and the epoch of the earlier moment.
      expect(await server.client().exists((await server.client().keys(`*dev:{${device}}`))[0]!)).toBe(1);
      expect(await store.get(device)).toBeUndefined();
    }));

  it('NET-03 keeps nobody waiting while it hangs, and comes back with what it had made dirty', () =>
    withServer(async ({ server, store, device }) => {
      server.signal('SIGSTOP');
      const began = performance.now();
      await expect(store.get(device)).rejects.toMatchObject({ code: 'STATE_STORE_AWAY' });
      expect(performance.now() - began).toBeLessThan(2_000);
      const again = performance.now();
      for (let i = 0; i < 100; i += 1)
        await expect(store.get(device)).rejects.toMatchObject({ code: 'STATE_STORE_AWAY' });
      expect(performance.now() - again).toBeLessThan(200);
      server.signal('SIGCONT');
      await answersAgain(store);
      expect(await store.get(device)).toBeUndefined();
      await fill(store, device, online(1));
      expect(await store.get(device)).toBeDefined();
    }));

  it('is waited for when it is not there yet', async () => {
    const server = await startRedisServer();
    await server.kill();
    const connection = connect(server.url);
    const store = storeOn(connection);
    await expect(store.get(randomUUID())).rejects.toMatchObject({ code: 'STATE_STORE_AWAY' });
    await server.start();
    await answersAgain(store);
    expect(await store.get(randomUUID())).toBeUndefined();
    await connection.close();
    await server.stop();
  });
});

describe.skipIf(!hasRedis())('on a real cluster of three masters (needs the program redis-server)', () => {
  let cluster: RedisCluster;
  let connection: RedisConnection;
  beforeAll(async () => {
    cluster = await startRedisCluster();
    connection = connect(cluster.url);
  }, 60_000);
  afterAll(async () => {
    await connection?.close();
    await cluster?.stop();
  });

  describeStateStore('the state store in Redis Cluster', async () => storeOn(connection));

  it('spreads devices over the masters and finds them after their slots have moved', async () => {
    const prefix = `${randomUUID()}:`;
    const store = storeOn(connection, { prefix });
    const devices = Array.from({ length: 30 }, () => randomUUID());
    for (const device of devices) await fill(store, device, online(1));
    const counts = await Promise.all(
      cluster.masters.map(async (master) => (await master.client().keys(`${prefix}dev:*`)).length),
    );
    expect(counts.every((count) => count > 0)).toBe(true);
    for (const device of devices.slice(0, 3)) await cluster.moveSlotOf(`${prefix}dev:{${device}}`);
    for (const device of devices) {
      expect(await store.apply(device, { values: online(2).values, health: [], seenAt: 2 })).toBe('changed');
      expect((await store.get(device))?.lastSeen).toBe(2);
    }
  });

  it('goes on when a replica takes the place of a master, believing nothing that may not have been copied', async () => {
    const own = await startRedisCluster();
    const ownConnection = connect(own.url);
    try {
      await own.addReplicaOf(1);
      const store = storeOn(ownConnection);
      const devices = Array.from({ length: 10 }, () => randomUUID());
      for (const device of devices) await fill(store, device, online(1));
      await own.masters[1]!.kill();
      const works = () =>
        Promise.all(devices.map((device) => store.apply(device, { values: [], health: [], seenAt: 2 }))).then(
          () => true,
          () => false,
        );
      await until(works, 'the replica in the place of the master', 30_000);
      for (const device of devices) {
        expect(await store.get(device)).toBeUndefined();
        await fill(store, device, online(3));
        expect((await store.get(device))?.lastSeen).toBe(3);
      }
    } finally {
      await ownConnection.close();
      await own.stop();
    }
  }, 90_000);

  it('is away while one of its masters is, and back with it', async () => {
    const store = storeOn(connection);
    const devices = Array.from({ length: 10 }, () => randomUUID());
    for (const device of devices) await fill(store, device, online(1));
    await cluster.masters[1]!.kill();
    await until(
      () =>
        Promise.all(devices.map((device) => store.get(device))).then(
          () => false,
          (error: { code?: string }) => error.code === 'STATE_STORE_AWAY',
        ),
      'a store that says it is away',
    );
    await cluster.masters[1]!.start();
    await answersAgain(store);
    for (const device of devices) {
      expect(await store.get(device)).toBeUndefined();
      await fill(store, device, online(3));
      expect((await store.get(device))?.lastSeen).toBe(3);
    }
  });
});
