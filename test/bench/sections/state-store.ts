import { randomUUID } from 'node:crypto';
import { createMemoryStateStore } from '../../../cloud/src/adapters/memory-state-store.ts';
import { openRedisConnection } from '../../../cloud/src/adapters/redis-connection.ts';
import { createRedisStateStore } from '../../../cloud/src/adapters/redis-state-store.ts';
import type { StateStore } from '../../../cloud/src/ports/state-store.ts';
import { parseRedisUrl } from '../../../cloud/src/state/redis-url.ts';
import { eventually } from '../../support/ares-process.ts';
import { startRedisCluster } from '../../support/redis-cluster.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import type { Figure, Section } from '../report.ts';
import { median } from '../statistics.ts';

const DEVICES = 2_000;
/** Updates under way at once, as from an ingest that takes what comes. */
const AT_ONCE = 200;
const VALUES = 5;
const ROUNDS = 7;
const ROUND_MS = 1_000;

const log = { debug() {}, info() {}, warn() {}, error() {} };

/** Updates of live state a second, of five values each: in memory, in one Redis, in a cluster of three. */
export const stateStore: Section = async ({ say }) => {
  await using stack = new AsyncDisposableStack();
  const open = (url: string): StateStore => {
    const connection = openRedisConnection({ url: parseRedisUrl(url), name: 'ares-bench', log });
    stack.defer(() => connection.close());
    return createRedisStateStore({ connection, prefix: 'bench:', idleMs: 600_000 });
  };
  const server = await startRedisServer();
  stack.defer(() => server.stop());
  const cluster = await startRedisCluster();
  stack.defer(() => cluster.stop());
  const stores = {
    memory: createMemoryStateStore(),
    redis: open(server.url),
    cluster: open(cluster.url),
  };
  const devices = Array.from({ length: DEVICES }, () => randomUUID());
  for (const store of Object.values(stores)) await fill(store, devices);

  const rates = { memory: [] as number[], redis: [] as number[], cluster: [] as number[] };
  const reads = { memory: [] as number[], redis: [] as number[], cluster: [] as number[] };
  let seq = 1;
  for (let round = 0; round < ROUNDS; round += 1) {
    say(`round ${round + 1} of ${ROUNDS}`);
    // In turn, so that what else the machine does meets all of them.
    for (const name of ['memory', 'redis', 'cluster'] as const) {
      const store = stores[name];
      rates[name].push(
        await perSecond(async (i) => {
          seq += 1;
          await store.apply(devices[i % DEVICES]!, updateOf(seq));
        }),
      );
      reads[name].push(await perSecond(async (i) => void (await store.get(devices[i % DEVICES]!))));
    }
  }
  const figure = (what: string, of: typeof rates, name: 'redis' | 'cluster', unit: string): Figure => ({
    name: `${what} in ${name === 'redis' ? 'Redis' : 'a cluster of three'}`,
    value: median(of[name]),
    unit,
    baseline: { name: 'in memory', value: median(of.memory) },
  });
  return {
    figures: [
      figure('state updates', rates, 'redis', 'updates/s'),
      figure('state updates', rates, 'cluster', 'updates/s'),
      figure('state reads', reads, 'redis', 'reads/s'),
      figure('state reads', reads, 'cluster', 'reads/s'),
    ],
    remarks: [
      `${DEVICES} devices, ${VALUES} values an update, ${AT_ONCE} at once from one process; median of ${ROUNDS} rounds of ${ROUND_MS} ms, the stores in turn.`,
      'Redis runs on the same cores, without persistence. A message of ten readings is one update.',
    ],
  };
};

const updateOf = (seq: number) => ({
  values: Array.from({ length: VALUES }, (_, i) => ({
    componentId: i,
    metric: 'temperature',
    value: seq / 7,
    measuredAt: 1_760_000_000_000 + seq,
    bootCount: 1,
    seq,
  })),
  health: [],
  seenAt: 1_760_000_000_000 + seq,
});

async function fill(store: StateStore, devices: readonly string[]): Promise<void> {
  await eventually('the store answers', () => store.healthy());
  const state = { presence: 'ONLINE', connectionId: 'c', lastSeen: 1, values: [], health: [] } as const;
  for (const device of devices) await store.refill(device, state, await store.stamp(device));
}

async function perSecond(work: (i: number) => Promise<void>): Promise<number> {
  const began = performance.now();
  const end = began + ROUND_MS;
  let done = 0;
  let next = 0;
  const worker = async () => {
    while (performance.now() < end) {
      await work(next++);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return done / ((performance.now() - began) / 1_000);
}
