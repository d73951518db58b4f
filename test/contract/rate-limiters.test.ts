import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryRateLimiters } from '../../cloud/src/adapters/memory-rate-limiters.ts';
import { openRedisConnection, type RedisConnection } from '../../cloud/src/adapters/redis-connection.ts';
import { createRedisRateLimiters } from '../../cloud/src/adapters/redis-rate-limiters.ts';
import { parseRedisUrl } from '../../cloud/src/state/redis-url.ts';
import { silentLogger, until } from '../../cloud/test/support/quiet.ts';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { hasRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { describeRateLimiters } from './rate-limiters-suite.ts';

const connect = (url: string) =>
  openRedisConnection({ url: parseRedisUrl(url), name: 'ares-test', log: silentLogger });

describeRateLimiters('limits in memory', () => memoryRateLimiters);

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

  describeRateLimiters('limits in Redis', () => createRedisRateLimiters({ connection, prefix: 'a:' }));

  it('counts for all processes together, and shows nobody whom', async () => {
    const other = connect(server.url);
    const name = randomUUID();
    const limit = { points: 2, seconds: 60 };
    const [here, there] = [connection, other].map((one) =>
      createRedisRateLimiters({ connection: one, prefix: 'a:' }).limiter(name, limit, 'refuse'),
    );
    await here!.consume('eve@example.org');
    await there!.consume('eve@example.org');
    await expect(here!.consume('eve@example.org')).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    const keys = await server.client().keys(`*${name}*`);
    expect(keys).toHaveLength(1);
    expect(keys[0]).not.toContain('eve');
    await other.close();
  });

  it('NET-03 refuses where guessing would be free while Redis is away, and counts here what must go on', async () => {
    const own = await startRedisServer();
    const ownConnection = connect(own.url);
    const limiters = createRedisRateLimiters({ connection: ownConnection, prefix: 'a:' });
    const signIn = limiters.limiter('login', { points: 3, seconds: 60 }, 'refuse');
    const commands = limiters.limiter('commands', { points: 2, seconds: 60 }, 'countHere');
    await signIn.consume('a');
    await commands.consume('a');
    await own.kill();
    await expect(signIn.consume('a')).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 5 });
    await signIn.reward('a');
    await signIn.delete('a');
    await commands.consume('a');
    await commands.consume('a');
    await expect(commands.consume('a')).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    await own.start();
    await until(
      () =>
        signIn.consume('a').then(
          () => true,
          () => false,
        ),
      'limits that count again',
    );
    await ownConnection.close();
    await own.stop();
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

  describeRateLimiters('limits in Redis Cluster', () =>
    createRedisRateLimiters({ connection, prefix: 'a:' }),
  );
});
