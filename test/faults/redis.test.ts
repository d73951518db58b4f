import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from '@ares/protocol/http';
import { afterEach, describe, expect, it } from 'vitest';
import { outboxIsEmpty } from '../support/agent-outbox.ts';
import { eventually, temporaryHome } from '../support/ares-process.ts';
import { burstDefinition } from '../support/burst.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type ClaimedDevice, claimWith } from '../support/fault-device.ts';
import { hasRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

const AWAY_MS = process.env['ARES_FAULTS'] === 'long' ? 120_000 : 6_000;
/** What the cloud promises. */
const RECOVERS_WITHIN_MS = 30_000;
const home = temporaryHome();
let redis: RedisServer | undefined;
let cluster: Cluster | undefined;
let device: ClaimedDevice | undefined;

afterEach(async () => {
  await device?.pi.stop();
  await cluster?.stop();
  await redis?.stop();
  home.remove();
});

describe.skipIf(!hasRedis())(
  `while readings flow and Redis is away for ${AWAY_MS / 1_000} s (needs redis-server)`,
  () => {
    it('NET-03 stores and acknowledges every reading, shows state and presence from the tables, refuses what it cannot count, and is whole again soon after', async () => {
      const server = await startRedisServer();
      redis = server;
      const cloud = await startCluster(join(home.path, 'cloud-home'), { REDIS_URL: server.url });
      cluster = cloud;
      const claimed = await claimWith({
        folder: join(home.path, 'device'),
        cluster: cloud,
        definition: burstDefinition(500),
      });
      device = claimed;
      const { deviceUuid } = claimed;
      const anonymous = createClient({ baseUrl: cloud.url, fetch });
      const signIn = () =>
        anonymous.login({
          body: { email: 'owner+greenhouse@example.org', password: 'correct horse battery' },
        });
      const stored = async () =>
        Number((await cloud.sql<{ count: string }>('select count(*) from telemetry_data'))[0]!.count);
      const document = () => cloud.owner.state({ params: { id: deviceUuid } });
      const status = async () => (await document()).device_status;
      /** The document shows what was measured after this moment. */
      const showsWhatCame = async (since: number) => {
        const { components } = await document();
        const burst = components.find(({ componentType }) => componentType === 'burst');
        return Object.values(burst?.metrics ?? {}).some(({ measuredAt }) => Date.parse(measuredAt) > since);
      };
      const health = async () => (await fetch(`${cloud.url}/healthz`)).status;
      const until = (what: string, holds: () => Promise<boolean>) =>
        eventually(what, () => holds().catch(() => false), RECOVERS_WITHIN_MS);

      const worksWithoutRedis = async () => {
        const [from, before] = [Date.now(), await stored()];
        await until('the cloud says that a part is away', async () => (await health()) === 503);
        await expect(signIn()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
        await until('readings are stored', async () => (await stored()) > before);
        await until('the document follows', () => showsWhatCame(from));
        const slowest = { ms: 0 };
        for (const end = from + AWAY_MS; Date.now() < end; ) {
          const began = performance.now();
          expect(await status()).toBe('ONLINE');
          slowest.ms = Math.max(slowest.ms, performance.now() - began);
          await wait(200);
        }
        return slowest.ms;
      };
      const isWholeAgain = async (what: string) => {
        const began = performance.now();
        const since = Date.now();
        await until('the cloud is well', async () => (await health()) === 200);
        await until('the document follows', () => showsWhatCame(since));
        await signIn();
        expect(await status()).toBe('ONLINE');
        return `${what}: whole after ${Math.round(performance.now() - began)} ms`;
      };

      await until('the device is online', async () => (await status()) === 'ONLINE');
      await until('the first readings are shown', () => showsWhatCame(0));
      const report: string[] = [];

      await server.client().flushall();
      report.push(await isWholeAgain('emptied'));
      const names = await server.client().keys('*');
      // No token and no nonce lives here: losing it can make none valid again.
      expect(names.filter((name) => !/^ares:[\w-]+:(dev:|seen:|epoch$|sweep$|limit:)/.test(name))).toEqual(
        [],
      );

      await server.kill();
      report.push(`killed: slowest document ${Math.round(await worksWithoutRedis())} ms`);
      await server.start();
      report.push(await isWholeAgain('killed'));

      server.signal('SIGSTOP');
      report.push(`hanging: slowest document ${Math.round(await worksWithoutRedis())} ms`);
      server.signal('SIGCONT');
      report.push(await isWholeAgain('hanging'));

      // Who goes and comes while Redis is away is seen from the tables, and believed afterwards.
      await server.kill();
      await claimed.pi.killAgent();
      await until('the will counts without Redis', async () => (await status()) === 'OFFLINE');
      await server.start();
      await until('the cloud is well', async () => (await health()) === 200);
      expect(await status()).toBe('OFFLINE');
      claimed.pi.startAgent();
      await until('the device is back', async () => (await status()) === 'ONLINE');

      await cloud.owner.detachComponent({ params: { id: deviceUuid, componentId: claimed.componentId } });
      await eventually('the outbox of the device is empty', () => outboxIsEmpty(claimed.pi), 240_000);
      const boots = await cloud.sql<{ rows: string; distinct: string; first: string; last: string }>(
        `select count(*) as rows, count(distinct seq) as distinct, min(seq) as first, max(seq) as last
       from telemetry_data group by boot_id order by boot_id`,
      );
      expect(cloud.deaths).toEqual([]);
      for (const boot of boots) {
        expect(boot.distinct, 'stored twice').toBe(boot.rows);
        expect([boot.first, boot.last], 'a gap').toEqual(['1', boot.rows]);
      }
      console.log([...report, `${boots.map(({ rows }) => rows).join(' + ')} readings, none lost`].join('\n'));
    });
  },
);
