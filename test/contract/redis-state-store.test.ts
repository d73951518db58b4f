import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe } from 'vitest';
import { openRedisConnection, type RedisConnection } from '../../cloud/src/adapters/redis-connection.ts';
import { createRedisStateStore } from '../../cloud/src/adapters/redis-state-store.ts';
import { parseRedisUrl } from '../../cloud/src/state/redis-url.ts';
import { silentLogger } from '../../cloud/test/support/quiet.ts';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { hasRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { describeStateStore } from './state-store-suite.ts';

const IDLE_MS = 60_000;
const connect = (url: string) =>
  openRedisConnection({ url: parseRedisUrl(url), name: 'ares-test', log: silentLogger });
const storeOn = (connection: RedisConnection, idleMs = IDLE_MS) =>
  createRedisStateStore({ connection, prefix: `${randomUUID()}:`, idleMs });

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
});
