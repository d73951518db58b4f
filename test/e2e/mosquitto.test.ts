import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, temporaryHome } from '../support/ares-process.ts';
import { burstDefinition } from '../support/burst.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type ClaimedDevice, claimWith } from '../support/fault-device.ts';
import { hasMosquitto } from '../support/mosquitto-server.ts';

describe.skipIf(!hasMosquitto())(
  'a device and a cloud in processes of its own, with Mosquitto between',
  () => {
    const home = temporaryHome();
    let cloud: Cluster;
    let device: ClaimedDevice;
    const stored = async () =>
      Number((await cloud.sql<{ count: string }>('select count(*) from telemetry_data'))[0]?.count ?? 0);

    beforeAll(async () => {
      cloud = await startCluster(join(home.path, 'cloud-home'), {}, 'mosquitto');
      device = await claimWith({
        folder: join(home.path, 'device'),
        cluster: cloud,
        definition: burstDefinition(200),
      });
    });
    afterAll(async () => {
      await device?.pi.stop();
      await cloud?.stop();
      home.remove();
    });

    it('stores readings that the device sends, and they are acknowledged', async () => {
      await eventually('readings are stored', async () => (await stored()) > 50);
      expect(existsSync(join(cloud.home, 'cloud/mosquitto/mosquitto.conf'))).toBe(true);
    });

    it('shows the device online and its state', async () => {
      const state = await cloud.owner.state({ params: { id: device.deviceUuid } });
      expect(state).toMatchObject({ device_status: 'ONLINE', deviceUuid: device.deviceUuid });
    });

    it('PKI-01 MQT-01 locks a revoked device out within five seconds', async () => {
      const before = performance.now();
      await cloud.owner.revokeCredentials({ params: { id: device.deviceUuid }, body: {} });
      const offline = async () =>
        (await cloud.owner.state({ params: { id: device.deviceUuid } })).device_status !== 'ONLINE';
      await eventually('the device is gone', offline, 5_000);
      expect(performance.now() - before).toBeLessThan(5_000);
      const count = await stored();
      await new Promise((next) => setTimeout(next, 2_000));
      expect(await stored()).toBe(count);
    });
  },
);
