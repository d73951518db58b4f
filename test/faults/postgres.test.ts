import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { outboxIsEmpty } from '../support/agent-outbox.ts';
import { eventually, temporaryHome } from '../support/ares-process.ts';
import { burstDefinition } from '../support/burst.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type ClaimedDevice, claimWith } from '../support/fault-device.ts';

const DOWN_MS = process.env['ARES_FAULTS'] === 'long' ? 120_000 : 8_000;
const RECOVERED_WITHIN_MS = 30_000;

describe('while readings flow', () => {
  const home = temporaryHome();
  let cluster: Cluster | undefined;
  let device: ClaimedDevice | undefined;
  afterEach(async () => {
    await device?.pi.stop();
    await cluster?.stop();
    home.remove();
  });

  it(`NET-02 loses and doubles nothing when PostgreSQL is down for ${DOWN_MS / 1_000} s, says so, and is whole within ${RECOVERED_WITHIN_MS / 1_000} s`, async () => {
    const cloud = await startCluster(join(home.path, 'cloud-home'));
    cluster = cloud;
    const claimed = await claimWith({
      folder: join(home.path, 'device'),
      cluster: cloud,
      definition: burstDefinition(100),
    });
    device = claimed;
    const params = { id: claimed.deviceUuid };
    const stored = async () =>
      Number((await cloud.sql<{ count: string }>('select count(*) from telemetry_data'))[0]?.count ?? 0);
    const healthIs = (status: number) => async () =>
      (await fetch(`${cloud.url}/healthz`).catch(() => undefined))?.status === status;
    await eventually('readings are stored', async () => (await stored()) > 0);

    await cloud.kill('database');
    const downAt = performance.now();
    await eventually('the cloud says that a part is away', healthIs(503), RECOVERED_WITHIN_MS);
    await wait(DOWN_MS - (performance.now() - downAt));
    await cloud.start('database');
    const backAt = performance.now();
    const since = () => `${Math.round(performance.now() - backAt)} ms`;
    const before = await stored();
    await eventually('readings flow again', async () => (await stored()) > before, RECOVERED_WITHIN_MS);
    const flowing = since();
    await eventually('the cloud is well', healthIs(200), RECOVERED_WITHIN_MS);
    const detach = () =>
      cloud.owner.detachComponent({ params: { ...params, componentId: claimed.componentId } });
    await detach();
    console.log(`after PostgreSQL was back: flowing ${flowing}, serving ${since()}`);
    expect(performance.now() - backAt).toBeLessThan(RECOVERED_WITHIN_MS);

    await eventually('the outbox of the device is empty', () => outboxIsEmpty(claimed.pi), 240_000);
    const boots = await cloud.sql<{ rows: string; distinct: string; first: string; last: string }>(
      `select count(*) as rows, count(distinct seq) as distinct, min(seq) as first, max(seq) as last
       from telemetry_data group by boot_id`,
    );
    console.log(`${boots.map(({ rows }) => rows).join(' + ')} readings`);
    expect(boots, 'the agent went on').toHaveLength(1);
    for (const boot of boots) {
      expect(boot.distinct, 'stored twice').toBe(boot.rows);
      expect([boot.first, boot.last], 'a gap').toEqual(['1', boot.rows]);
    }
    expect(cloud.deaths).toEqual([]);
  });
});
