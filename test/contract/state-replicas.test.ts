import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRedisConnection, type RedisConnection } from '../../cloud/src/adapters/redis-connection.ts';
import { createRedisStateStore } from '../../cloud/src/adapters/redis-state-store.ts';
import type { DeviceState, MetricValue, StateStore } from '../../cloud/src/ports/state-store.ts';
import { parseRedisUrl } from '../../cloud/src/state/redis-url.ts';
import { createRefills } from '../../cloud/src/state/refills.ts';
import { silentLogger } from '../../cloud/test/support/quiet.ts';
import { type SeededRandom, seededRandom } from '../support/random.ts';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { hasRedis } from '../support/redis-server.ts';

const RUNS = 20;
const READINGS = 60;
const REPLICAS = 3;

const isAfter = (a: MetricValue, b: MetricValue) =>
  a.bootCount > b.bootCount || (a.bootCount === b.bootCount && a.seq > b.seq);

/** What was stored, as the tables would answer it: read at one moment, answered at a later one. */
function createTables(random: SeededRandom) {
  let state: DeviceState = {
    presence: 'ONLINE',
    connectionId: 'c',
    lastSeen: 1,
    values: [],
    health: [],
  };
  return {
    store(value: MetricValue): void {
      const old = state.values[0];
      if (old === undefined || isAfter(value, old)) state = { ...state, values: [value] };
    },
    async state(): Promise<DeviceState> {
      const read = state;
      for (let waits = random.between(0, 20); waits > 0; waits -= 1) await setImmediate();
      return read;
    },
    newest: () => state.values[0],
  };
}

function shuffledReadings(random: SeededRandom): MetricValue[] {
  const all = Array.from({ length: READINGS }, (_, i): MetricValue => {
    const [bootCount, seq] = [1 + Math.floor(i / 25), 1 + (i % 25)];
    return { componentId: 1, metric: 't', value: i, measuredAt: i, bootCount, seq };
  });
  return all
    .map((value) => ({ value, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

describe.skipIf(!hasRedis())(
  'several ingest replicas on one cluster (needs the program redis-server)',
  () => {
    let cluster: RedisCluster;
    let connections: RedisConnection[] = [];
    beforeAll(async () => {
      cluster = await startRedisCluster();
      connections = Array.from({ length: REPLICAS }, () =>
        openRedisConnection({ url: parseRedisUrl(cluster.url), name: 'ares-test', log: silentLogger }),
      );
    }, 60_000);
    afterAll(async () => {
      for (const connection of connections) await connection.close();
      await cluster?.stop();
    });

    it('never turn the state back, however their readings overtake each other and Redis is emptied in between', async () => {
      const random = seededRandom();
      console.log(`seed ${random.seed} (ARES_SEED=${random.seed} repeats it)`);
      const prefix = `${randomUUID()}:`;
      const stores: StateStore[] = connections.map((connection) =>
        createRedisStateStore({ connection, prefix, idleMs: 60_000 }),
      );
      for (let run = 0; run < RUNS; run += 1) {
        const device = randomUUID();
        const tables = createTables(random);
        const replicas = stores.map((store) => ({ store, refills: createRefills(store, tables) }));
        const queue = shuffledReadings(random);

        const ingest = async ({ store, refills }: (typeof replicas)[number]) => {
          for (let value = queue.pop(); value !== undefined; value = queue.pop()) {
            tables.store(value);
            for (let waits = random.between(0, 10); waits > 0; waits -= 1) await setImmediate();
            const update = { values: [value], health: [], seenAt: value.measuredAt };
            if ((await store.apply(device, update)) !== 'missing') continue;
            await refills.of(device);
            await store.apply(device, update);
          }
        };
        let isOver = false;
        let shown: MetricValue | undefined;
        const watch = async () => {
          while (!isOver) {
            const { refills } = random.pick(replicas);
            const value = (await refills.of(device))?.values[0];
            if (shown !== undefined) {
              const wentBack = value === undefined || isAfter(shown, value);
              expect(wentBack, `${JSON.stringify(shown)} and then ${JSON.stringify(value)}`).toBe(false);
            }
            shown = value ?? shown;
          }
        };
        const disturb = async () => {
          while (!isOver) {
            for (let waits = random.between(0, 60); waits > 0; waits -= 1) await setImmediate();
            const what = random.between(0, 3);
            if (what === 0) await random.pick(stores).markDirty('all');
            if (what === 1) await random.pick(stores).drop(device);
            if (what === 2) await Promise.all(cluster.masters.map((master) => master.client().flushall()));
          }
        };
        const others = Promise.all([watch(), disturb()]);
        await Promise.all(replicas.map(ingest)).finally(() => {
          isOver = true;
        });
        await others;
        for (const { refills } of replicas)
          expect((await refills.of(device))?.values, `run ${run}`).toEqual([tables.newest()]);
      }
    }, 120_000);
  },
);
