import { randomBytes } from 'node:crypto';
import { topics } from '@ares/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerWorld, brokerWorld } from '../../cloud/test/support/broker-world.ts';
import { until } from '../../cloud/test/support/quiet.ts';
import { hasMosquitto } from '../support/mosquitto-server.ts';

describe.skipIf(!hasMosquitto())("Mosquitto's listener for the cloud's own processes", () => {
  let world: BrokerWorld;
  afterEach(async () => {
    await world?.close();
  });
  const start = async () => {
    world = await brokerWorld({ kind: 'mosquitto' });
    return world.mosquitto!;
  };

  it('MQT-11 lets no device in, under no name and no client id', async () => {
    const { servicePort } = await start();
    const device = await world.issue();
    const victim = await world.connect(await world.issue());
    const attempt = (extra: object) =>
      world.connect(device, { port: servicePort, connectTimeout: 2_000, ...extra });
    await expect(attempt({})).rejects.toMatchObject({ code: 5 });
    await expect(attempt({ username: 'ares-ingest', password: '' })).rejects.toMatchObject({ code: 5 });
    await expect(attempt({ username: 'ares-ingest', password: 'guess' })).rejects.toMatchObject({ code: 5 });
    await expect(
      attempt({ username: 'ares-ingest', password: 'guess', clientId: victim.options.clientId }),
    ).rejects.toMatchObject({ code: 5 });
    expect(victim.connected).toBe(true);
  });

  it('MQT-11 lets nobody in without a certificate, and no service without its password', async () => {
    const { servicePort } = await start();
    const service = await world.ca.signService({ commonName: 'ares-ingest' });
    const nothing = { deviceUuid: 'ares-ingest-1', keyPem: undefined as never, chainPem: undefined as never };
    await expect(
      world.connect(nothing, { port: servicePort, username: 'ares-ingest', password: 'x' }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/ALERT/) });
    await expect(
      world.connect({ deviceUuid: 'ares-ingest-1', ...service }, { port: servicePort }),
    ).rejects.toMatchObject({ code: 5 });
  });

  it("gives a service's certificate no rights at the listener for devices", async () => {
    await start();
    const service = await world.ca.signService({ commonName: 'ares-ingest' });
    const client = await world.connect({ deviceUuid: 'ares-ingest', ...service });
    const heard: string[] = [];
    client.on('message', (topic) => heard.push(topic));
    await client.subscribeAsync(['#', 'telemetry/#']);
    const device = await world.issue();
    const sender = await world.connect(device);
    await world.sayBirth(sender, device);
    await until(() => world.broker.connectedDevices().length === 1, 'the birth');
    expect(heard).toEqual([]);
  });

  it('gives each process the rights of its name', async () => {
    const { openLink } = await start();
    const heard: string[] = [];
    await world.broker.link.subscribe(['#'], (topic) => heard.push(topic));
    const [ingest, api] = [await openLink('ares-ingest'), await openLink('ares-api')];
    const device = await world.issue();
    const state = topics.clientState.build({ ...device, userEmail: 'a@example.org' });
    await ingest.publish(topics.systemReset.build(device), 'not its to say', { qos: 1 });
    await ingest.publish(state, 'not its to say', { qos: 1 });
    await ingest.publish('$CONTROL/dynamic-security/v1', 'not its to say', { qos: 1 });
    await api.publish(topics.commandsStatus.build(device), 'not its to say', { qos: 1 });
    await ingest.publish(topics.telemetryAck.build(device), 'its to say', { qos: 1 });
    await api.publish(topics.systemReset.build(device), 'its to say', { qos: 1 });
    await until(() => heard.length >= 2, 'what they may say');
    expect(heard).toEqual([topics.telemetryAck.build(device), topics.systemReset.build(device)]);

    const told: string[] = [];
    await api.subscribe(['telemetry/#', 'client/#'], (topic) => told.push(topic));
    const client = await world.connect(device);
    await client.publishAsync(topics.commandsStatus.build(device), 'x', { qos: 1 });
    const asked = topics.requestState.build({ ...device, userEmail: 'a@example.org' });
    await world.broker.link.publish(asked, '', { qos: 1 });
    await until(() => told.length > 0, 'what the API may hear');
    expect(told).toEqual([asked]);
  });

  describe('MQT-13 a group of ingests', () => {
    const MESSAGES = 500;
    const run = async (groupOf: (secret: string) => readonly string[]) => {
      const { openLink } = await start();
      const group = `ingest-${randomBytes(16).toString('hex')}`;
      const taken: string[] = [];
      const shares = [0, 0];
      for (const i of [0, 1]) {
        const ingest = await openLink('ares-ingest');
        await ingest.subscribe(
          [topics.commandsStatus.filter()],
          (_topic, payload) => {
            taken.push(Buffer.from(payload).toString());
            shares[i]! += 1;
          },
          { group },
        );
      }
      const thief = await world.connect(await world.issue());
      let stolen = 0;
      thief.on('message', () => {
        stolen += 1;
      });
      for (const name of groupOf(group))
        await thief.subscribeAsync([
          `$share/${name}/telemetry/#`,
          `$share/${name}/telemetry/+/commands/status`,
        ]);
      const device = await world.issue();
      const client = await world.connect(device);
      for (let i = 0; i < MESSAGES; i++)
        await client.publishAsync(topics.commandsStatus.build(device), `${i}`, { qos: 1 });
      // What came last is there, so is everything before it.
      const tail = await world.connect(await world.issue());
      expect(tail.connected).toBe(true);
      await until(
        () =>
          taken.length >= MESSAGES || taken.includes(`${MESSAGES - 1}`) || taken.includes(`${MESSAGES - 2}`),
        'the last messages',
      );
      return { taken, shares, stolen };
    };

    it('shares the readings, and loses none to devices that guess names of groups', async () => {
      const { taken, shares, stolen } = await run(() =>
        [
          'ingest',
          'ingest-1',
          'telemetry',
          '#',
          ...Array.from({ length: 20 }, () => `ingest-${randomBytes(16).toString('hex')}`),
        ].filter((name) => !/[#+/]/.test(name)),
      );
      await until(() => taken.length === MESSAGES, 'every message');
      expect(new Set(taken).size).toBe(MESSAGES);
      expect(stolen).toBe(0);
      expect(Math.min(...shares)).toBeGreaterThan(MESSAGES / 4);
    });

    it('would lose a share to a device that knew the name, which is why it is secret', async () => {
      const { taken, stolen } = await run((secret) => [secret]);
      expect(stolen).toBe(0);
      expect(taken.length).toBeLessThan(MESSAGES);
    });
  });

  it('speaks MQTT 5 with who wants it, and says what it refuses', async () => {
    await start();
    const device = await world.issue();
    const client = await world.connect(device, { protocolVersion: 5 });
    const foreign = topics.commandsStatus.build(await world.issue());
    await expect(client.publishAsync(foreign, 'forged', { qos: 1 })).rejects.toMatchObject({
      code: 135,
    });
  });
});
