import { randomUUID } from 'node:crypto';
import { topics } from '@ares/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMqttBrokerLink } from '../../cloud/src/adapters/mqtt-broker-link.ts';
import type { BrokerLink } from '../../cloud/src/ports/broker-link.ts';
import { type BrokerKind, type BrokerWorld, brokerWorld } from '../../cloud/test/support/broker-world.ts';
import { fakeClock, silentLogger, until } from '../../cloud/test/support/quiet.ts';
import { isMissing } from '../support/brokers.ts';

type Make = (world: BrokerWorld) => Promise<BrokerLink>;

/** What the cloud expects of its way to the broker, in the broker's process and beside it. */
function describeBrokerLink(name: string, make: Make, kind: BrokerKind = 'aedes'): void {
  describe.skipIf(isMissing(kind))(name, () => {
    let world: BrokerWorld;
    let link: BrokerLink;
    beforeEach(async () => {
      world = await brokerWorld({ kind });
      link = await make(world);
    });
    afterEach(async () => {
      await link.close();
      await world.close();
    });

    it('carries a message to a device and back, byte for byte', async () => {
      const device = await world.issue();
      const client = await world.connect(device);
      const orders: Buffer[] = [];
      client.on('message', (_topic, payload) => orders.push(payload));
      await client.subscribeAsync(`commands/${device.deviceUuid}/#`);
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      await link.publish(topics.telemetryAck.build(device), bytes);
      await link.publish(topics.telemetryAck.build(device), 'text ä', { qos: 1 });
      await until(() => orders.length === 2, 'the orders');
      expect(orders.map((one) => one.toString('hex'))).toEqual([
        Buffer.from(bytes).toString('hex'),
        Buffer.from('text ä').toString('hex'),
      ]);

      const heard: [string, string][] = [];
      await link.subscribe([topics.commandsStatus.filter()], (topic, payload) =>
        heard.push([topic, Buffer.from(payload).toString('hex')]),
      );
      await client.publishAsync(topics.commandsStatus.build(device), Buffer.from(bytes), { qos: 1 });
      await until(() => heard.length === 1, 'the result');
      expect(heard).toEqual([[topics.commandsStatus.build(device), Buffer.from(bytes).toString('hex')]]);
    });

    it('hears only what its filters match, once each, and nothing after it stopped', async () => {
      const device = await world.issue();
      const client = await world.connect(device);
      const heard: string[] = [];
      const stop = await link.subscribe(
        [topics.commandsStatus.filter(), topics.connectionStatus.filter()],
        (topic) => heard.push(topic),
        { group: 'ingest-1' },
      );
      for (const topic of [topics.otaStatus, topics.connectionStatus, topics.commandsStatus])
        await client.publishAsync(topic.build(device), 'x', { qos: 1 });
      await until(() => heard.length === 2, 'both');
      await stop();
      await client.publishAsync(topics.commandsStatus.build(device), 'late', { qos: 1 });
      let marker = false;
      await link.subscribe([topics.otaStatus.filter()], () => {
        marker = true;
      });
      await client.publishAsync(topics.otaStatus.build(device), 'marker', { qos: 1 });
      await until(() => marker, 'the marker');
      expect(heard).toEqual([topics.connectionStatus.build(device), topics.commandsStatus.build(device)]);
    });

    it('says that it is connected, and refuses with a reason once it is closed', async () => {
      expect(link.connected()).toBe(true);
      await link.close();
      expect(link.connected()).toBe(false);
      await expect(
        link.publish(topics.systemReset.build({ deviceUuid: randomUUID() }), 'x'),
      ).rejects.toMatchObject({
        name: 'BrokerLinkError',
      });
    });
  });
}

describeBrokerLink('the link within the broker’s process', async (world) => world.broker.link);

const open = async (world: BrokerWorld) => {
  const service = await world.ca.signService({ commonName: 'ares-cloud' });
  return await openMqttBrokerLink({
    log: silentLogger,
    config: {
      host: '127.0.0.1',
      port: world.broker.port,
      commonName: 'ares-cloud',
      keyPem: service.keyPem,
      chainPem: service.chainPem,
      rootPem: world.ca.caCertificates.root,
    },
  });
};
describeBrokerLink('the link of another process', open);
describeBrokerLink(
  'the link of another process by Mosquitto',
  // With the rights of tests: the suite sends and hears what no single part of the cloud may.
  async (world) => world.mosquitto!.openLink('ares-tester'),
  'mosquitto',
);

describe('the link of another process', () => {
  it('comes back with the certificate that it was given meanwhile, when its first one ends', async () => {
    const clock = fakeClock();
    const world = await brokerWorld({ clock, config: { sweepEveryMs: 20 } });
    const { port } = world.broker;
    const target = { host: '127.0.0.1', port, commonName: 'ares-api', rootPem: world.ca.caCertificates.root };
    const sign = (validityMs: number) => world.ca.signService({ commonName: 'ares-api', validityMs });
    const link = await openMqttBrokerLink({
      log: silentLogger,
      config: { ...target, ...(await sign(600_000)) },
    });
    link.setCredentials(await sign(86_400_000));
    clock.advance(599_000);
    expect(link.connected()).toBe(true);
    clock.advance(2_000);
    await until(() => !link.connected(), 'the end of the first session');
    await until(() => link.connected(), 'the second session');
    await link.close();
    await world.close();
  });

  it('fails with NOT_CONNECTED when there is no broker, and says where it looked', async () => {
    const world = await brokerWorld();
    const { port } = world.broker;
    await world.close();
    await expect(
      openMqttBrokerLink({
        log: silentLogger,
        config: {
          host: '127.0.0.1',
          port,
          commonName: 'ares-api',
          keyPem: '',
          chainPem: '',
          rootPem: world.ca.caCertificates.root,
        },
      }),
    ).rejects.toMatchObject({ code: 'NOT_CONNECTED', message: expect.stringContaining(String(port)) });
  });
});
