import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { outboxIsEmpty, statusTextOf } from '../support/agent-outbox.ts';
import { eventually, temporaryHome } from '../support/ares-process.ts';
import { burstDefinition } from '../support/burst.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type ClaimedDevice, claimWith } from '../support/fault-device.ts';
import { killAndRevive } from '../support/kill.ts';
import { hasMosquitto } from '../support/mosquitto-server.ts';
import { seededRandom } from '../support/random.ts';

const LONG = process.env['ARES_FAULTS'] === 'long';
const KILLS = LONG ? 40 : 6;
const DOWN_MS = LONG ? 120_000 : 8_000;
/** Reconnects of a device are spread over two seconds in these tests, and begin again after a failed attempt. */
const RECOVERED_WITHIN_MS = 30_000;

describe.skipIf(!hasMosquitto())('while readings flow by Mosquitto', () => {
  const home = temporaryHome();
  let cluster: Cluster | undefined;
  let device: ClaimedDevice | undefined;
  afterEach(async () => {
    await device?.pi.stop();
    await cluster?.stop();
    home.remove();
  });

  it(`NET-01 TEL-13 loses and doubles nothing when it, who directs it, and the ingest are killed ${KILLS} times, and it is away for ${DOWN_MS / 1_000} s`, async () => {
    const random = seededRandom();
    console.log(`seed ${random.seed} (ARES_SEED=${random.seed} repeats it)`);
    const cloud = await startCluster(join(home.path, 'cloud-home'), {}, 'mosquitto');
    cluster = cloud;
    const claimed = await claimWith({
      folder: join(home.path, 'device'),
      cluster: cloud,
      definition: burstDefinition(100),
    });
    device = claimed;
    const stored = async () =>
      Number((await cloud.sql<{ count: string }>('select count(*) from telemetry_data'))[0]?.count ?? 0);
    await eventually('readings are stored', async () => (await stored()) > 0);

    for (let kills = 0; kills < KILLS; kills++) {
      await wait(random.between(300, 2_500));
      const victim = random.pick(['mosquitto', 'mosquitto', 'broker', 'ingest'] as const);
      await killAndRevive(victim, { random, cluster: cloud, pi: claimed.pi });
    }
    const before = await stored();
    await eventually('readings flow again', async () => (await stored()) > before, RECOVERED_WITHIN_MS);

    await cloud.kill('mosquitto');
    await wait(DOWN_MS);
    const whenBack = await stored();
    await cloud.start('mosquitto');
    const backAt = performance.now();
    await eventually('readings flow again', async () => (await stored()) > whenBack, RECOVERED_WITHIN_MS);
    console.log(`flowing again ${Math.round(performance.now() - backAt)} ms after Mosquitto was back`);

    await cloud.owner.detachComponent({
      params: { id: claimed.deviceUuid, componentId: claimed.componentId },
    });
    await eventually('the outbox of the device is empty', () => outboxIsEmpty(claimed.pi), 240_000);
    const boots = await cloud.sql<{ rows: string; distinct: string; first: string; last: string }>(
      `select count(*) as rows, count(distinct seq) as distinct, min(seq) as first, max(seq) as last
       from telemetry_data group by boot_id`,
    );
    console.log(`${boots[0]?.rows} readings`);
    for (const boot of boots) {
      expect(boot.distinct, 'stored twice').toBe(boot.rows);
      expect([boot.first, boot.last], 'a gap').toEqual(['1', boot.rows]);
    }

    // Who directs it was killed and started: it still locks out, though it did not see the device come.
    const revokedAt = performance.now();
    await cloud.owner.revokeCredentials({ params: { id: claimed.deviceUuid }, body: {} });
    await eventually('the device is told that it is refused', () => isRefused(claimed.pi), 10_000);
    console.log(`refused after ${Math.round(performance.now() - revokedAt)} ms`);
    expect(cloud.deaths).toEqual([]);
  });
});

async function isRefused(pi: ClaimedDevice['pi']): Promise<boolean> {
  const { session, state } = JSON.parse(await statusTextOf(pi)) as {
    session?: { connection: { state: string } } | null;
    state?: string;
  };
  return state === 'RECOVERY_NEEDED' || session?.connection.state !== 'connected';
}
