import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ProblemError, type Registration } from '@ares/protocol';
import type { Client } from '@ares/protocol/http';
import { Agent, setGlobalDispatcher } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { drawMockDevice } from '../../cloud/src/cli/mock-device.ts';
import { outboxIsEmpty } from '../support/agent-outbox.ts';
import { eventually, freePort, temporaryHome } from '../support/ares-process.ts';
import { type Balancer, startBalancer } from '../support/balancer.ts';
import { burstDefinition } from '../support/burst.ts';
import { type Cluster, type Replica, startCluster } from '../support/cluster.ts';
import { type ClaimedDevice, claimWith } from '../support/fault-device.ts';
import { hasMosquitto } from '../support/mosquitto-server.ts';
import { seededRandom } from '../support/random.ts';
import { hasRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

const LONG = process.env['ARES_FAULTS'] === 'long';
const ENDS = LONG ? 36 : 9;
const EVERY_MS = LONG ? 10_000 : 2_500;
const RECOVERED_WITHIN_MS = 30_000;
const hardware = { hardwareVersion: 'pi-4', hardwareVariant: 'standard' };
/** Loopback has a whole network of addresses: each replica of the API has one, and all the same ports. */
const hosts = ['127.0.0.11', '127.0.0.12', '127.0.0.13'];

// Each request by a connection of its own: kept ones would all end at one replica.
setGlobalDispatcher(new Agent({ pipelining: 0 }));

const home = temporaryHome();
let redis: RedisServer | undefined;
let cluster: Cluster | undefined;
let device: ClaimedDevice | undefined;
const balancers: Balancer[] = [];

afterEach(async () => {
  await device?.pi.stop();
  await Promise.all(balancers.map((balancer) => balancer.close()));
  await cluster?.stop();
  await redis?.stop();
  home.remove();
});

describe.skipIf(!hasMosquitto() || !hasRedis())(
  'three of each process (needs mosquitto and redis-server)',
  () => {
    it(`NET-07 lose and double no reading and no request while ${ENDS} of them end in turn, in order or by SIGKILL`, async () => {
      const random = seededRandom();
      console.log(`seed ${random.seed} (ARES_SEED=${random.seed} repeats it)`);
      const server = await startRedisServer();
      redis = server;
      const ports = { api: await freePort(), devices: await freePort() };
      // The first API is one of three: behind the balancers, which have the address that everybody knows.
      const apiAt = (host: string) => ({
        HOST: host,
        PORT: String(ports.api),
        ARES_DEVICE_BIND: host,
        ARES_DEVICE_PORT: String(ports.devices),
      });
      balancers.push(await startBalancer(ports.api, hosts), await startBalancer(ports.devices, hosts));
      const settings = { REDIS_URL: server.url, ...apiAt(hosts[0]!) };
      const cloud = await startCluster(join(home.path, 'cloud-home'), settings, 'mosquitto');
      cluster = cloud;
      const roles = ['api', 'ingest', 'jobs'] as const;
      const start = async (role: (typeof roles)[number], n: number): Promise<Replica> => {
        const internal = await freePort();
        const replica = cloud.startReplica(role, `${role}-${n}`, {
          ...(role === 'api' && apiAt(hosts[n]!)),
          ARES_INTERNAL_PORT: String(internal),
        });
        const ready = () =>
          fetch(`http://127.0.0.1:${internal}/readyz`).then(
            ({ ok }) => ok,
            () => false,
          );
        await eventually(`${role} is ready`, ready, RECOVERED_WITHIN_MS);
        return replica;
      };
      const replicas = await Promise.all(
        roles.flatMap((role) => [1, 2].map(async (n) => ({ role, n, process: await start(role, n) }))),
      );
      const claimed = await claimWith({
        folder: join(home.path, 'device'),
        cluster: cloud,
        definition: burstDefinition(100),
      });
      device = claimed;
      const { deviceUuid, componentId } = claimed;
      const stored = async () =>
        Number((await cloud.sql<{ count: string }>('select count(*) from telemetry_data'))[0]?.count ?? 0);
      await eventually('readings are stored', async () => (await stored()) > 0, 60_000);

      // Somebody who works on meanwhile, and sends again with the same key what was refused or cut off.
      const asked: string[] = [];
      let again = 0;
      let working = true;
      const work = (async () => {
        while (working) {
          const { identityKeyPem: _, ...body } = drawMockDevice(hardware);
          again += (await registerOnce(cloud.admin, body)) - 1;
          asked.push(body.deviceUuid);
          await wait(200);
        }
      })();

      for (let ends = 0; ends < ENDS; ends += 1) {
        await wait(EVERY_MS);
        const victim = random.pick(replicas);
        if (random.between(0, 1_000) < 500) expect(await victim.process.end()).toBe('status 0');
        else await victim.process.kill();
        victim.process = await start(victim.role, victim.n);
      }
      const before = await stored();
      await eventually('readings flow', async () => (await stored()) > before, RECOVERED_WITHIN_MS);
      working = false;
      await work;
      console.log(`${asked.length} requests, ${again} sent again`);

      await cloud.owner.detachComponent({ params: { id: deviceUuid, componentId } });
      await eventually('the outbox of the device is empty', () => outboxIsEmpty(claimed.pi), 240_000);
      const boots = await cloud.sql<{ rows: string; distinct: string; first: string; last: string }>(
        `select count(*) as rows, count(distinct seq) as distinct, min(seq) as first, max(seq) as last
       from telemetry_data group by boot_id`,
      );
      for (const boot of boots) {
        expect(boot.distinct, 'stored twice').toBe(boot.rows);
        expect([boot.first, boot.last], 'a gap').toEqual(['1', boot.rows]);
      }
      const registered = await cloud.sql<{ device_uuid: string }>(
        'select device_uuid from devices where device_uuid <> $1',
        [deviceUuid],
      );
      expect(registered.map((row) => row.device_uuid).toSorted()).toEqual(asked.toSorted());
      expect(cloud.deaths).toEqual([]);
    });
  },
);

/** As a careful client does it. @returns how often it was sent */
async function registerOnce(client: Client, body: Registration): Promise<number> {
  let idempotencyKey: string = randomUUID();
  for (let sent = 1; ; sent += 1) {
    try {
      await client.preregister({ body, idempotencyKey });
      return sent;
    } catch (error) {
      const code = error instanceof ProblemError ? error.code : 'UNAVAILABLE';
      if (code !== 'CONFLICT' && code !== 'UNAVAILABLE') throw error;
      // Who served it died: nobody knows whether it was done. So look, and ask anew if not.
      if (code === 'CONFLICT') {
        const found = await client.listDevices({ query: { text: body.deviceUuid } }).catch(() => undefined);
        if (found !== undefined && found.items.length > 0) return sent;
        if (found !== undefined) idempotencyKey = randomUUID();
      }
      await wait(50);
    }
  }
}
