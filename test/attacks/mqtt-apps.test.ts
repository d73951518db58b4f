import { randomUUID } from 'node:crypto';
import { topics } from '@ares/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerWorld, brokerWorld, type TestDevice } from '../../cloud/test/support/broker-world.ts';
import { until } from '../../cloud/test/support/quiet.ts';
import { brokers, isMissing } from '../support/brokers.ts';

let world: BrokerWorld;
afterEach(async () => {
  await world?.close();
});

const mine = 'ada+greenhouse@example.org';
const other = 'eve@example.org';
const deviceUuid = randomUUID();
const rightsOf = (...apps: readonly (readonly [TestDevice, string])[]) =>
  new Map(apps.map(([app, userEmail]) => [app.deviceUuid, { userEmail, serial: app.serial }]));

describe.each(brokers.map((kind) => ({ kind })))('apps at $kind', ({ kind }) => {
  const start = async () => {
    world = await brokerWorld({ kind });
    const app = await world.issueApp(mine);
    await world.broker.syncApps(rightsOf([app, mine]));
    return app;
  };

  describe.skipIf(isMissing(kind))('MQT-02 MQT-03 rights of an app', () => {
    it('are to ask for state and to hear it, under the e-mail of its own user', async () => {
      const app = await start();
      const client = await world.connect(app);
      const asked: string[] = [];
      await world.broker.link.subscribe(['#'], (topic) => asked.push(topic));
      for (const topic of [
        topics.requestState.build({ userEmail: other, deviceUuid }),
        topics.clientState.build({ userEmail: mine, deviceUuid }),
        topics.componentStatus.build({ userEmail: mine, deviceUuid, componentType: 'dht22' }),
        topics.command.build({ deviceUuid, componentType: 'pump', action: 'on' }),
        topics.systemReset.build({ deviceUuid }),
        '$CONTROL/dynamic-security/v1',
      ])
        await client.publishAsync(topic, 'forged', { qos: 1 });
      const own = topics.requestState.build({ userEmail: mine, deviceUuid });
      await client.publishAsync(own, '', { qos: 1 });
      await until(() => asked.includes(own), 'the question');
      expect(asked).toEqual([own]);

      const heard: string[] = [];
      client.on('message', (topic) => heard.push(topic));
      await client.subscribeAsync(topics.clientState.filter({ userEmail: mine }));
      for (const filter of ['client/#', topics.clientState.filter(), 'telemetry/#', 'commands/#'])
        await client.subscribeAsync(filter).catch(() => undefined);
      await world.broker.link.publish(topics.clientState.build({ userEmail: other, deviceUuid }), 'not its');
      await world.broker.link.publish(topics.telemetryAck.build({ deviceUuid }), 'not its');
      await world.broker.link.publish(topics.clientState.build({ userEmail: mine, deviceUuid }), 'its');
      await until(() => heard.length > 0, 'the state');
      expect(new Set(heard)).toEqual(new Set([topics.clientState.build({ userEmail: mine, deviceUuid })]));
    });

    it('end at once, with the connection, and do not come back with the certificate', async () => {
      const app = await start();
      const [friend, device] = [await world.issueApp(other), await world.issue()];
      await world.broker.syncApps(rightsOf([app, mine], [friend, other]));
      const [leaving, staying, unconcerned] = [
        await world.connect(app),
        await world.connect(friend),
        await world.connect(device),
      ];
      world.statuses.set(app.serial, { deviceUuid: app.deviceUuid, status: 'REVOKED' });
      await world.broker.syncApps(rightsOf([friend, other]));
      await until(() => !leaving.connected, 'the connection to be ended');
      const asked: string[] = [];
      await world.broker.link.subscribe(['client/#'], (topic) => asked.push(topic));
      const again = await world.connect(app).catch(() => undefined);
      expect(again === undefined).toBe(kind === 'aedes');
      await again?.publishAsync(topics.requestState.build({ userEmail: mine, deviceUuid }), '', { qos: 1 });
      const allowed = topics.requestState.build({ userEmail: other, deviceUuid });
      await staying.publishAsync(allowed, '', { qos: 1 });
      await until(() => asked.includes(allowed), 'what the other app asks');
      expect(asked).toEqual([allowed]);
      expect(unconcerned.connected).toBe(true);
    });

    it('follow the user to another e-mail', async () => {
      const app = await start();
      const before = await world.connect(app);
      world.statuses.set(app.serial, {
        deviceUuid: app.deviceUuid,
        status: 'ACTIVE',
        appOf: 'ada@example.com',
      });
      await world.broker.syncApps(rightsOf([app, 'ada@example.com']));
      await until(() => !before.connected, 'the connection with the old rights to be ended');
      const client = await world.connect(app);
      const asked: string[] = [];
      await world.broker.link.subscribe(['client/#'], (topic) => asked.push(topic));
      await client.publishAsync(topics.requestState.build({ userEmail: mine, deviceUuid }), '', { qos: 1 });
      const own = topics.requestState.build({ userEmail: 'ada@example.com', deviceUuid });
      await client.publishAsync(own, '', { qos: 1 });
      await until(() => asked.includes(own), 'the question');
      expect(asked).toEqual([own]);
    });
  });
});
