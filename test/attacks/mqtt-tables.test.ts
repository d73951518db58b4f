import { topics } from '@ares/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerWorld, brokerWorld } from '../../cloud/test/support/broker-world.ts';
import { until } from '../../cloud/test/support/quiet.ts';

/** What the broker in the cloud does beyond any other: it asks the tables, counts what it refuses, and slows down. */
let world: BrokerWorld;
afterEach(async () => {
  await world?.close();
});

const refusedWith = (code: number) => expect.objectContaining({ code });

describe('MQT-01 the tables are asked at each connect', () => {
  it.each(['REVOKED', 'SUPERSEDED', 'PENDING'])(
    'refuses a certificate that the tables call %s, before any list says so',
    async (status) => {
      world = await brokerWorld();
      const device = await world.issue();
      world.statuses.set(device.serial, { deviceUuid: device.deviceUuid, status });
      await expect(world.connect(device)).rejects.toEqual(refusedWith(5));
    },
  );

  it('says "unavailable", not "refused", while the tables cannot be asked', async () => {
    world = await brokerWorld({ lookUp: () => Promise.reject(new Error('no database')) });
    await expect(world.connect(await world.issue())).rejects.toEqual(refusedWith(3));
  });

  it.each(['ended', 'looked up again with all others'])(
    'PKI-01 refuses a certificate that is revoked while it is being looked up, when the session is %s',
    async (how) => {
      let release: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => {
        release = resolve;
      });
      let lookUps = 0;
      world = await brokerWorld({
        lookUp: () => {
          lookUps += 1;
          return lookUps === 1 ? asked : Promise.resolve();
        },
      });
      const device = await world.issue();
      const row = world.statuses.get(device.serial)!;
      const connecting = world.connect(device);
      connecting.catch(() => undefined);
      await until(() => lookUps === 1, 'the look-up');
      if (how === 'ended') world.broker.endSession(device.deviceUuid, 'revoked');
      else await world.broker.recheckSessions(async () => new Set());
      release();
      world.statuses.set(device.serial, { ...row, status: 'REVOKED' });
      await expect(connecting).rejects.toEqual(refusedWith(5));
    },
  );
});

describe('what is refused is counted', () => {
  it('reports a certificate that it refuses', async () => {
    world = await brokerWorld();
    const other = await brokerWorld();
    await expect(world.connect(await other.issue())).rejects.toEqual(refusedWith(5));
    expect(world.events).toContainEqual(expect.objectContaining({ code: 'CERTIFICATE_REFUSED' }));
    await other.close();
  });

  it('ends the connection of a device that keeps on publishing what it may not', async () => {
    world = await brokerWorld();
    const client = await world.connect(await world.issue());
    for (let i = 0; i < 60 && client.connected; i++)
      await client.publishAsync('not/mine', 'x', { qos: 0 }).catch(() => undefined);
    await until(() => !client.connected, 'the connection to be ended');
  });
});

describe('rights of the parts of the cloud', () => {
  it('gives a service the rights of its certificate, under a client id of its own name only', async () => {
    world = await brokerWorld();
    const service = await world.ca.signService({ commonName: 'ares-ingest' });
    const client = await world.connect({ deviceUuid: 'ares-ingest-7', ...service });
    await client.subscribeAsync('telemetry/#');
    await expect(client.subscribeAsync('client/#')).rejects.toThrow();
    const heard: string[] = [];
    await world.broker.link.subscribe(['#'], (topic) => heard.push(topic));
    const device = await world.issue();
    await client.publishAsync(topics.systemReset.build(device), 'not its to say', { qos: 1 });
    await client.publishAsync(topics.telemetryAck.build(device), 'its to say', { qos: 1 });
    await until(() => heard.length > 0, 'what it may say');
    expect(heard).toEqual([topics.telemetryAck.build(device)]);
    await expect(world.connect({ deviceUuid: 'ares-api-7', ...service })).rejects.toEqual(refusedWith(2));
  });

  it('gives nothing to a service of an unknown name', async () => {
    world = await brokerWorld();
    const service = await world.ca.signService({ commonName: 'ares-canary-1' });
    const client = await world.connect({ deviceUuid: 'ares-canary-1', ...service });
    await expect(client.subscribeAsync('telemetry/#')).rejects.toThrow();
  });
});

it('MQT-08 slows a device down to its rate without losing a message', async () => {
  world = await brokerWorld({ config: { publishRate: { perSecond: 200, burst: 20 } } });
  const device = await world.issue();
  const client = await world.connect(device);
  let heard = 0;
  await world.broker.link.subscribe(['telemetry/#'], () => {
    heard += 1;
  });
  const start = performance.now();
  for (let i = 0; i < 120; i++) client.publish(topics.commandsStatus.build(device), `${i}`, { qos: 0 });
  await until(() => heard === 120, 'all messages');
  expect(performance.now() - start).toBeGreaterThan(400);
});
