import { join } from 'node:path';
import { createClient } from '@ares/protocol/http';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Seen } from '../../cloud/src/monitor/types.ts';
import { type AppAtBroker, connectApp } from '../support/app-at-broker.ts';
import { aresLines, aresWith, eventually, temporaryHome } from '../support/ares-process.ts';
import { brokers, isMissing } from '../support/brokers.ts';
import { burstDefinition } from '../support/burst.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type ClaimedDevice, claimWith } from '../support/fault-device.ts';

const OWNER = { email: 'owner+greenhouse@example.org', password: 'correct horse battery' };

describe.each(brokers.map((kind) => ({ kind })))(
  'a device, its app and a cloud of several processes, by $kind',
  ({ kind }) => {
    describe.skipIf(isMissing(kind))('from the first reading to the end of its certificate', () => {
      const home = temporaryHome();
      let cloud: Cluster;
      let device: ClaimedDevice;
      let app: AppAtBroker;
      const stored = async () =>
        Number((await cloud.sql<{ count: string }>('select count(*) from telemetry_data'))[0]?.count ?? 0);
      const signIn = async () => {
        const session = await createClient({ baseUrl: cloud.url, fetch }).login({ body: OWNER });
        const client = createClient({ baseUrl: cloud.url, fetch, accessToken: () => session.accessToken });
        return { client, session };
      };

      beforeAll(async () => {
        cloud = await startCluster(join(home.path, 'cloud-home'), {}, kind);
        device = await claimWith({
          folder: join(home.path, 'device'),
          cluster: cloud,
          definition: burstDefinition(200),
        });
      }, 300_000);
      afterAll(async () => {
        app?.client.end(true);
        await device?.pi.stop();
        await cloud?.stop();
        home.remove();
      });

      it('stores what the device measures, and shows it online', async () => {
        await eventually('readings are stored', async () => (await stored()) > 50);
        const state = await cloud.owner.state({ params: { id: device.deviceUuid } });
        expect(state).toMatchObject({ device_status: 'ONLINE', deviceUuid: device.deviceUuid });
      });

      it('tells the device of a new part, and carries a command and its result', async () => {
        const { componentId } = await cloud.owner.attachComponent({
          params: { id: device.deviceUuid },
          body: { componentType: 'pump', pins: { line: 17 }, config: {} },
        });
        const send = () =>
          cloud.owner.sendCommand({
            params: { id: device.deviceUuid },
            body: { componentId, action: 'on', args: { durationMs: 200 }, ttlSeconds: 30 },
          });
        const { commandId } = await send();
        await eventually('the pump ran', async () => {
          const { items } = await cloud.owner.listCommands({ params: { id: device.deviceUuid }, query: {} });
          return items.find((item) => item.commandId === commandId)?.status === 'COMPLETED';
        });
      });

      it('shows an operator what goes through it, and how the cloud believes a last will', async () => {
        const { deviceUuid } = device;
        const seen = await aresLines<Seen>(
          cloud.environment,
          ...['mqtt', 'monitor', '--device', deviceUuid, '--count', '6'],
        );
        expect(seen.map(({ verdict }) => verdict)).toEqual(Array(6).fill('OK'));
        expect(seen.map(({ kind }) => kind)).toEqual(
          expect.arrayContaining(['componentStatus', 'telemetryAck']),
        );
        const trip = await aresWith(cloud.environment, 'mqtt', 'publish-test', '--device', deviceUuid);
        expect(trip).toMatchObject({ deviceUuid, signed: true, presence: 'ONLINE' });
        const test = await aresWith(
          cloud.environment,
          ...['mqtt', 'publish-offline', '--device', deviceUuid, '--reason', 'a drill'],
        );
        expect(test).toMatchObject({ before: 'ONLINE', after: 'OFFLINE', reconnected: true });
        const online = async () =>
          (await cloud.owner.state({ params: { id: deviceUuid } })).device_status === 'ONLINE';
        await eventually('the device has connected anew', online, 20_000);
      });

      it('answers an app that asks for state, and pushes at most one document a second', async () => {
        app = await connectApp((await signIn()).client);
        await app.ask(device.deviceUuid);
        await app.ask(crypto.randomUUID());
        await eventually('the state came', () => app.heard.length > 0, 10_000);
        const from = performance.now();
        const first = app.heard.length;
        await eventually('changes came', () => app.heard.length >= first + 3, 20_000);
        const seconds = (performance.now() - from) / 1_000;
        expect(app.heard.length - first).toBeLessThanOrEqual(seconds + 2);
        expect(new Set(app.heard.map(({ state }) => state.deviceUuid))).toEqual(new Set([device.deviceUuid]));
      });

      it('ends an app with the session of its user', async () => {
        const { client, session } = await signIn();
        const second = await connectApp(client);
        await createClient({ baseUrl: cloud.url, fetch }).logout({
          body: { refreshToken: session.refreshToken },
        });
        await eventually('the connection ends', () => !second.client.connected, 5_000);
        // With the certificate it may still come to some brokers, but hears and says nothing.
        const again = await second.reconnect().catch(() => undefined);
        await again?.subscribeAsync('client/state/+/+').catch(() => undefined);
        const heard: string[] = [];
        again?.on('message', (topic) => heard.push(topic));
        const before = app.heard.length;
        await eventually('the other app hears on', () => app.heard.length > before, 10_000);
        expect(heard).toEqual([]);
        again?.end(true);
      });

      it('PKI-01 locks a revoked device out within five seconds', async () => {
        const before = performance.now();
        await cloud.owner.revokeCredentials({ params: { id: device.deviceUuid }, body: {} });
        const offline = async () =>
          (await cloud.owner.state({ params: { id: device.deviceUuid } })).device_status !== 'ONLINE';
        await eventually('the device is gone', offline, 5_000);
        expect(performance.now() - before).toBeLessThan(5_000);
        const count = await stored();
        await new Promise((next) => setTimeout(next, 2_000));
        expect(await stored()).toBe(count);
        expect(cloud.deaths).toEqual([]);
      });
    });
  },
);
