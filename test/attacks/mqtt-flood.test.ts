import { once } from 'node:events';
import { connect } from 'node:tls';
import { topics } from '@ares/protocol';
import mqttPacket from 'mqtt-packet';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerWorld, brokerWorld, type TestDevice } from '../../cloud/test/support/broker-world.ts';
import { until } from '../../cloud/test/support/quiet.ts';
import { brokers, isMissing } from '../support/brokers.ts';

let world: BrokerWorld;
afterEach(async () => {
  await world?.close();
});

/** A client that does not wait for anything. */
async function rawConnection(
  device: Pick<TestDevice, 'deviceUuid' | 'keyPem' | 'chainPem'>,
  port = world.broker.port,
  login: { username: string; password: Buffer } | undefined = undefined,
) {
  const socket = connect({
    host: '127.0.0.1',
    port,
    servername: 'localhost',
    ca: world.ca.caCertificates.root,
    key: device.keyPem,
    cert: device.chainPem,
  });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  socket.write(
    mqttPacket.generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: device.deviceUuid,
      keepalive: 60,
      ...login,
    }),
  );
  await once(socket, 'data');
  return socket;
}

/** A part of the cloud that hears what devices say. */
async function slowReader() {
  const { mosquitto } = world;
  const name = mosquitto === undefined ? 'ares-ingest' : 'ares-tester';
  const service = await world.ca.signService({ commonName: name });
  const login = mosquitto && { username: name, password: Buffer.from(mosquitto.password) };
  return rawConnection({ deviceUuid: `${name}-1`, ...service }, mosquitto?.servicePort, login);
}

const publish = (topic: string, payload = 'x') =>
  mqttPacket.generate({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false });

describe.each(brokers.flatMap((kind) => [true, false].map((heard) => ({ kind, heard }))))(
  'at $kind, heard: $heard',
  ({ kind, heard: isHeard }) => {
    it.skipIf(isMissing(kind))('MQT-08 outlives 30,000 small messages at once', async () => {
      world = await brokerWorld({ kind, config: { publishRate: { perSecond: 1e6, burst: 1e6 } } });
      const [flooding, honest] = [await world.issue(), await world.issue()];
      let heard = 0;
      const topic = topics.otaStatus.build(flooding);
      if (isHeard)
        await world.broker.link.subscribe([topics.otaStatus.filter()], () => {
          heard += 1;
        });
      const socket = await rawConnection(flooding);
      socket.write(Buffer.concat(Array.from({ length: 30_000 }, () => publish(topic))));
      const client = await world.connect(honest);
      const mine: string[] = [];
      await world.broker.link.subscribe([topics.commandsStatus.filter()], (name) => mine.push(name));
      await client.publishAsync(topics.commandsStatus.build(honest), 'honest', { qos: 1 });
      await until(() => mine.length === 1, 'the honest message');
      if (isHeard) await until(() => heard === 30_000, 'the flood');
      await until(
        () => world.broker.connectedDevices().includes(honest.deviceUuid),
        'the honest device to be known',
      );
      socket.destroy();
    });
  },
);

it('MQT-08 slows a flood down to the rate of one device and reports it, and others do not wait', async () => {
  world = await brokerWorld({ config: { publishRate: { perSecond: 100, burst: 50 } } });
  const [flooding, honest] = [await world.issue(), await world.issue()];
  let flood = 0;
  let served = 0;
  await world.broker.link.subscribe([topics.otaStatus.build(flooding)], () => {
    flood += 1;
  });
  await world.broker.link.subscribe([topics.otaStatus.build(honest)], () => {
    served += 1;
  });
  const socket = await rawConnection(flooding);
  const start = performance.now();
  socket.write(Buffer.concat(Array.from({ length: 5_000 }, () => publish(topics.otaStatus.build(flooding)))));
  const client = await world.connect(honest);
  for (let i = 0; i < 30; i++) await client.publishAsync(topics.otaStatus.build(honest), 'x', { qos: 1 });
  await until(() => served === 30, 'the honest messages');
  expect(performance.now() - start).toBeLessThan(5_000);
  expect(flood).toBeLessThan(1_000);
  expect(
    world.events.some(
      ({ code, deviceUuid }) => code === 'PUBLISH_RATE' && deviceUuid === flooding.deviceUuid,
    ),
  ).toBe(true);
  socket.destroy();
});

describe.each(brokers.map((kind) => ({ kind })))('at $kind', ({ kind }) => {
  it.skipIf(isMissing(kind))(
    'MQT-08 serves everybody while one reader does not read what it subscribed to, and when that one dies',
    async () => {
      world = await brokerWorld({ kind, config: { publishRate: { perSecond: 1e6, burst: 1e6 } } });
      // Of a kind that may hear everything: at Mosquitto by its own listener.
      const slow = await slowReader();
      slow.write(
        mqttPacket.generate({
          cmd: 'subscribe',
          messageId: 1,
          subscriptions: [{ topic: 'telemetry/#', qos: 0 }],
        }),
      );
      await once(slow, 'data');
      slow.pause();
      const flood = [];
      for (let i = 0; i < 20; i++) {
        const device = await world.issue();
        const socket = await rawConnection(device);
        socket.write(
          Buffer.concat(
            Array.from({ length: 400 }, () => publish(topics.otaStatus.build(device), 'x'.repeat(4_000))),
          ),
        );
        flood.push(socket);
      }
      const honest = await world.issue();
      const client = await world.connect(honest);
      const heard: string[] = [];
      await world.broker.link.subscribe([topics.commandsStatus.filter()], (topic) => heard.push(topic));
      for (const count of [1, 2]) {
        client.publish(topics.commandsStatus.build(honest), 'honest', { qos: 0 });
        await until(() => heard.length === count, 'the honest message', 5_000);
        slow.destroy();
        await new Promise((next) => setTimeout(next, 300));
      }
      for (const socket of flood) socket.destroy();
    },
  );
});
