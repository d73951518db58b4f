import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { outboxIsEmpty } from '../support/agent-outbox.ts';
import { eventually, temporaryHome } from '../support/ares-process.ts';
import { burstDefinition } from '../support/burst.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type ClaimedDevice, claimWith } from '../support/fault-device.ts';
import { killAndRevive } from '../support/kill.ts';
import { seededRandom } from '../support/random.ts';

const READINGS = process.env['ARES_FAULTS'] === 'long' ? 20_000 : 3_000;
const home = temporaryHome();
let cluster: Cluster | undefined;
let device: ClaimedDevice | undefined;

afterEach(async () => {
  await device?.pi.stop();
  await cluster?.stop();
  home.remove();
});

describe(`while ${READINGS} readings flow and agent, broker, ingest and database are killed at random`, () => {
  it('FSP-02 NET-01 NET-07 TEL-13 stores each reading exactly once, and in the end none is left on the device', async () => {
    const random = seededRandom();
    console.log(`seed ${random.seed} (ARES_SEED=${random.seed} repeats it)`);
    const cloud = await startCluster(join(home.path, 'cloud-home'));
    cluster = cloud;
    const claimed = await claimWith({
      folder: join(home.path, 'device'),
      cluster: cloud,
      definition: burstDefinition(100),
    });
    device = claimed;
    const stored = async () =>
      Number((await cloud.sql<{ count: string }>('select count(*) from telemetry_data'))[0]?.count ?? 0);

    let kills = 0;
    for (let known = 0; known < READINGS; ) {
      await wait(random.between(300, 2_500));
      await killAndRevive(random.pick(['agent', 'broker', 'ingest', 'database'] as const), {
        random,
        cluster: cloud,
        pi: claimed.pi,
      });
      kills += 1;
      known = await stored().catch(() => known);
    }
    await cloud.owner.detachComponent({
      params: { id: claimed.deviceUuid, componentId: claimed.componentId },
    });
    await eventually('the outbox of the device is empty', () => outboxIsEmpty(claimed.pi), 240_000);

    const boots = await cloud.sql<{ rows: string; distinct: string; first: string; last: string }>(
      `select count(*) as rows, count(distinct seq) as distinct, min(seq) as first, max(seq) as last
       from telemetry_data group by boot_id order by boot_id`,
    );
    const total = boots.reduce((sum, { rows }) => sum + Number(rows), 0);
    expect(cloud.deaths).toEqual([]);
    console.log(`${kills} kills, ${boots.length} boots, ${total} readings`);
    for (const boot of boots) {
      expect(boot.distinct, 'stored twice').toBe(boot.rows);
      expect([boot.first, boot.last], 'a gap').toEqual(['1', boot.rows]);
    }
    expect(total).toBeGreaterThanOrEqual(READINGS);
  });
});
