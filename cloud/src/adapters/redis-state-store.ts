import { randomUUID } from 'node:crypto';
import type { StateStore } from '../ports/state-store.ts';
import type { RedisClient, RedisConnection } from './redis-connection.ts';
import { packHealth, packNewest, packValue, unpackEntry } from './redis-entry.ts';

const SHARDS = 16;
/** By so much an entry's last-seen may run ahead of the index; who looks by the index asks the entry. */
const INDEX_EVERY_MS = 5_000;
/** Longer than anybody reads the tables for one device. */
const MARK_MS = 120_000;
/** Devices in one command: a function takes no unlimited number of arguments, and Redis serves nobody meanwhile. */
const EXPECT_AT_ONCE = 1_000;

/**
 * Live state in Redis. One device's entry lies under one hash tag, and each step on it is one script; the index of
 * the sweep lies elsewhere and follows: it may name too many devices, and the entry decides.
 */
export function createRedisStateStore(options: {
  readonly connection: RedisConnection;
  /** Begins every key, so that two clouds may share a server. */
  readonly prefix: string;
  /** An entry that no message touches for so long leaves Redis. */
  readonly idleMs: number;
}): StateStore {
  const { connection, prefix, idleMs } = options;
  const me = randomUUID();
  const entryKey = (deviceUuid: string) => `${prefix}dev:{${deviceUuid}}`;
  const seenKey = (shard: number) => `${prefix}seen:{s${shard}}`;
  const seenKeyOf = (deviceUuid: string) => seenKey(Number.parseInt(deviceUuid.slice(0, 8), 16) % SHARDS);
  const epochKey = `${prefix}epoch`;
  const sweepKey = `${prefix}sweep`;

  const index = (client: RedisClient, deviceUuid: string, score: string | number) =>
    client.zadd(seenKeyOf(deviceUuid), 'GT', score, deviceUuid);
  const newEpoch = (client: RedisClient) => client.set(epochKey, randomUUID());
  const epochOf = async (client: RedisClient): Promise<string> => {
    const running = await client.get(epochKey);
    if (running !== null) return running;
    // Never set, or Redis was emptied: whoever comes first names the new time.
    await client.set(epochKey, randomUUID(), 'NX');
    return (await client.get(epochKey)) ?? '';
  };
  connection.onReturn(newEpoch);

  const overdueIn = async (client: RedisClient, shard: number, seenBefore: number, limit: number) => {
    const found = await client.zrangebyscore(
      seenKey(shard),
      '-inf',
      `(${seenBefore}`,
      'WITHSCORES',
      'LIMIT',
      0,
      limit,
    );
    return found.flatMap((deviceUuid, i) =>
      i % 2 === 0 ? [{ deviceUuid, score: Number(found[i + 1]) }] : [],
    );
  };
  /** Whether the entry agrees with the index, which is put right where it does not. */
  const isOverdue = async (client: RedisClient, deviceUuid: string, seenBefore: number): Promise<boolean> => {
    const [presence, seen] = await client.hmget(entryKey(deviceUuid), 'p', 's');
    if (presence === null || presence === undefined) return true;
    if (presence !== 'ONLINE') {
      await client.aresForget(seenKeyOf(deviceUuid), deviceUuid, seenBefore);
      return false;
    }
    if (Number(seen ?? 0) < seenBefore) return true;
    await index(client, deviceUuid, seen!);
    return false;
  };

  return {
    shared: true,
    get: (deviceUuid) =>
      connection.run(async (client) => {
        const [hash, epoch] = await Promise.all([client.hgetall(entryKey(deviceUuid)), client.get(epochKey)]);
        return hash['p'] !== undefined && epoch !== null && hash['e'] === epoch
          ? unpackEntry(hash)
          : undefined;
      }),
    apply: (deviceUuid, { values, health, seenAt }) =>
      connection.run(async (client) => {
        const packed = [...packNewest(values), ...health.map(packHealth)].flat();
        const [outcome, score] = await client.aresApply(
          entryKey(deviceUuid),
          seenAt,
          idleMs,
          INDEX_EVERY_MS,
          ...packed,
        );
        if (score !== null) await index(client, deviceUuid, score);
        return outcome;
      }),
    birth: (deviceUuid, connectionId, at) =>
      connection.run(async (client) => {
        // The index first: an entry that is ONLINE and not in it would never be swept.
        await index(client, deviceUuid, at);
        const done = await client.aresBirth(entryKey(deviceUuid), connectionId, at, idleMs);
        return done === 1 ? 'done' : 'missing';
      }),
    will: (deviceUuid, connectionId) =>
      connection.run(async (client) => {
        const score = await client.aresWill(entryKey(deviceUuid), connectionId);
        if (score === null) return false;
        await client.aresForget(seenKeyOf(deviceUuid), deviceUuid, score);
        return true;
      }),
    timeOut: (deviceUuid, seenBefore) =>
      connection.run(async (client) => {
        if ((await client.aresTimeOut(entryKey(deviceUuid), seenBefore)) !== 1) return false;
        await client.aresForget(seenKeyOf(deviceUuid), deviceUuid, seenBefore);
        return true;
      }),
    overdue: (seenBefore, limit) =>
      connection.run(async (client) => {
        const shards = Array.from({ length: SHARDS }, (_, shard) =>
          overdueIn(client, shard, seenBefore, limit),
        );
        const candidates = (await Promise.all(shards))
          .flat()
          .sort((a, b) => a.score - b.score)
          .slice(0, limit);
        const verdicts = await Promise.all(
          candidates.map(({ deviceUuid }) => isOverdue(client, deviceUuid, seenBefore)),
        );
        return candidates.filter((_, i) => verdicts[i]).map(({ deviceUuid }) => deviceUuid);
      }),
    expect: (online) =>
      connection.run(async (client) => {
        const byShard = Map.groupBy(online, ([deviceUuid]) => seenKeyOf(deviceUuid));
        for (const [key, devices] of byShard)
          for (let i = 0; i < devices.length; i += EXPECT_AT_ONCE) {
            const some = devices.slice(i, i + EXPECT_AT_ONCE);
            await client.zadd(key, 'NX', ...some.flatMap(([deviceUuid, at]) => [at, deviceUuid]));
          }
      }),
    leadsSweep: (holdMs) =>
      connection.run(async (client) => (await client.aresLease(sweepKey, me, holdMs)) === 1),
    epoch: () => connection.run(epochOf),
    stamp: (deviceUuid) =>
      connection.run(async (client) => {
        const [epoch, mark] = await Promise.all([
          epochOf(client),
          client.aresStamp(entryKey(deviceUuid), randomUUID(), MARK_MS),
        ]);
        return `${epoch}/${mark}`;
      }),
    refill: (deviceUuid, state, stamp) =>
      connection.run(async (client) => {
        const [epoch, mark] = stamp.split('/') as [string, string];
        if (epoch !== (await client.get(epochKey))) return;
        const packed = [...state.values.map(packValue), ...state.health.map(packHealth)].flat();
        const score = await client.aresRefill(
          entryKey(deviceUuid),
          epoch,
          mark,
          state.presence,
          state.connectionId ?? '',
          state.lastSeen ?? '',
          idleMs,
          ...packed,
        );
        if (score !== null) await index(client, deviceUuid, score);
      }),
    markDirty: (deviceUuids) =>
      connection.run(async (client) => {
        if (deviceUuids === 'all') await newEpoch(client);
        else
          await Promise.all(
            deviceUuids.map((deviceUuid) => client.aresDirty(entryKey(deviceUuid), randomUUID(), MARK_MS)),
          );
      }),
    drop: (deviceUuid) =>
      connection.run(async (client) => {
        await client.aresDrop(entryKey(deviceUuid), randomUUID(), MARK_MS);
        await client.zrem(seenKeyOf(deviceUuid), deviceUuid);
      }),
    healthy: () => connection.healthy(),
  };
}
