import { topics } from '@ares/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerWorld, brokerWorld } from '../../cloud/test/support/broker-world.ts';
import { until } from '../../cloud/test/support/quiet.ts';
import { hasMosquitto } from '../support/mosquitto-server.ts';

describe.skipIf(!hasMosquitto())('Mosquitto and the process that directs it', () => {
  let world: BrokerWorld;
  afterEach(async () => {
    await world?.close();
  });
  const start = async () => {
    world = await brokerWorld({ kind: 'mosquitto', config: { birthWithinMs: 400, sweepEveryMs: 50 } });
    return world.mosquitto!;
  };

  it('MQT-12 asks devices to come again that came while nobody directed, as nobody knows by what', async () => {
    const { redirect } = await start();
    const [before, later] = [await world.issue(), await world.issue()];
    const client = await world.connect(before);
    await world.sayBirth(client, before);
    await until(() => world.broker.connectedDevices().length === 1, 'the birth');
    const next = await redirect([before.deviceUuid, later.deviceUuid]);
    // This one is seen to come.
    const seen = await world.connect(later);
    await world.sayBirth(seen, later);
    await until(() => next.connectedDevices().includes(later.deviceUuid), 'the later one to be known');
    await until(() => !client.connected, 'the earlier one to be asked to come again');
    const again = await world.connect(before);
    await world.sayBirth(again, before);
    await until(() => next.connectedDevices().length === 2, 'both to be known');
    await new Promise((past) => setTimeout(past, 700));
    expect([again.connected, seen.connected]).toEqual([true, true]);
  });

  it('PKI-01 ends a session that was to be ended while the way to the broker was down', async () => {
    const { broker } = await start();
    const device = await world.issue();
    const client = await world.connect(device);
    await world.sayBirth(client, device);
    await until(() => world.broker.connectedDevices().length === 1, 'the birth');
    // Whoever has the same name takes the connection over, until the first one comes back.
    const service = await world.ca.signService({ commonName: 'ares-broker' });
    await world.connect({ deviceUuid: 'ares-broker', ...service });
    await until(() => !broker.connected(), 'the way to be down');
    world.broker.endSession(device.deviceUuid, 'revoked');
    expect(client.connected).toBe(true);
    await until(() => !client.connected, 'the session to be ended');
  });

  it('does not take an app for a device without a birth, though it came before its name was known', async () => {
    const { redirect } = await start();
    const app = await world.issueApp('ada@example.org');
    const apps = new Map([[app.deviceUuid, { userEmail: 'ada@example.org', serial: app.serial }]]);
    await world.broker.syncApps(apps);
    const next = await redirect([]);
    const client = await world.connect(app);
    await until(() => next.connectedDevices().includes(app.deviceUuid), 'the log to tell of it');
    await next.syncApps(apps);
    await until(() => !next.connectedDevices().includes(app.deviceUuid), 'it to be looked at');
    const device = await world.issue();
    const silent = await world.connect(device);
    await until(() => !silent.connected, 'a device without a birth to be ended');
    expect(client.connected).toBe(true);
  });

  it('keeps the rights of apps through a restart of either', async () => {
    const { redirect, server } = await start();
    const app = await world.issueApp('ada@example.org');
    const apps = new Map([[app.deviceUuid, { userEmail: 'ada@example.org', serial: app.serial }]]);
    await world.broker.syncApps(apps);
    const asks = async () => {
      const client = await world.connect(app);
      const heard: string[] = [];
      const topic = topics.requestState.build({ ...app, userEmail: 'ada@example.org' });
      const stop = await world.broker.link.subscribe([topic], (name) => heard.push(name));
      await client.publishAsync(topic, '', { qos: 1 });
      await until(() => heard.length > 0, 'the question');
      await stop();
      await client.endAsync(true);
    };
    await asks();
    await server.stop();
    await server.start();
    await until(() => world.broker.link.connected(), 'the links to be back');
    await asks();
    const next = await redirect([]);
    await asks();
    await next.syncApps(apps);
    await asks();
    await next.syncApps(new Map());
    const client = await world.connect(app);
    const heard: string[] = [];
    await world.broker.link.subscribe(['client/#', 'telemetry/#'], (topic) => heard.push(topic));
    const topic = topics.requestState.build({ ...app, userEmail: 'ada@example.org' });
    await client.publishAsync(topic, '', { qos: 1 });
    const device = await world.issue();
    await world.sayBirth(await world.connect(device), device);
    await until(() => heard.length > 0, 'the birth of another');
    expect(heard).toEqual([topics.connectionStatus.build(device)]);
  });
});
