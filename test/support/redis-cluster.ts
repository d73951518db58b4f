import { Redis } from 'ioredis';
import { eventually } from './ares-process.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';

const SLOTS = 16_384;
const SETTINGS = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--appendonly', 'no'];

/** A real Redis Cluster of three masters on loopback, each a process of its own. */
export interface RedisCluster {
  /** Comma-joined, as `REDIS_URL` takes it. */
  readonly url: string;
  readonly masters: readonly RedisServer[];
  /** Moves the slot of a key to another master, as an operator who resizes the cluster does. */
  moveSlotOf(key: string): Promise<void>;
  /** Starts a replica of a master, which takes its place when it dies. Resolves when it has copied everything. */
  addReplicaOf(index: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedisCluster(): Promise<RedisCluster> {
  const masters = await Promise.all([0, 1, 2].map(() => startRedisServer(SETTINGS)));
  const replicas: RedisServer[] = [];
  const clients = masters.map(({ port }) => {
    const client = new Redis({ host: '127.0.0.1', port });
    client.on('error', () => undefined);
    return client;
  });
  const stop = async () => {
    for (const client of clients) client.disconnect();
    await Promise.all([...masters, ...replicas].map((server) => server.stop()));
  };
  try {
    const share = Math.ceil(SLOTS / masters.length);
    for (const [i, client] of clients.entries()) {
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
      await client.call(
        'CLUSTER',
        'ADDSLOTSRANGE',
        String(i * share),
        String(Math.min(SLOTS, (i + 1) * share) - 1),
      );
      await client.call('CLUSTER', 'MEET', '127.0.0.1', String(masters[0]!.port));
    }
    await eventually('the cluster is whole', async () => {
      const infos = await Promise.all(clients.map((client) => client.cluster('INFO')));
      return infos.every((info) => /cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info));
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: masters.map((master) => master.url).join(','),
    masters,
    async moveSlotOf(key) {
      const slot = await clients[0]!.cluster('KEYSLOT', key);
      const share = Math.ceil(SLOTS / masters.length);
      const from = clients[Math.floor(slot / share)]!;
      const toIndex = (Math.floor(slot / share) + 1) % masters.length;
      const to = clients[toIndex]!;
      const [fromId, toId] = await Promise.all(
        [from, to].map((one) => one.call('CLUSTER', 'MYID') as Promise<string>),
      );
      await to.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', fromId!);
      await from.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', toId!);
      const keys = (await from.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '100')) as string[];
      for (const one of keys)
        await from.call('MIGRATE', '127.0.0.1', String(masters[toIndex]!.port), one, '0', '2000');
      for (const one of [to, from, ...clients])
        await one.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', toId!);
    },
    async addReplicaOf(index) {
      const server = await startRedisServer(SETTINGS);
      replicas.push(server);
      const client = server.client();
      const masterId = (await clients[index]!.call('CLUSTER', 'MYID')) as string;
      await client.call('CLUSTER', 'MEET', '127.0.0.1', String(masters[index]!.port));
      await eventually('the replica knows its master', async () =>
        client.call('CLUSTER', 'REPLICATE', masterId).then(
          () => true,
          () => false,
        ),
      );
      await eventually('the replica is in step', async () =>
        /master_link_status:up/.test(await client.info('replication')),
      );
    },
    stop,
  };
}
