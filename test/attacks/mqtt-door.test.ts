import { randomUUID } from 'node:crypto';
import { connect as tcpConnect } from 'node:net';
import { deviceRights, topics } from '@ares/protocol';
import type { MqttClient } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerWorld, brokerWorld } from '../../cloud/test/support/broker-world.ts';
import { fakeClock, until } from '../../cloud/test/support/quiet.ts';
import { brokers, isMissing } from '../support/brokers.ts';

let world: BrokerWorld;
afterEach(async () => {
  await world?.close();
});

const closedOf = (client: MqttClient) => until(() => !client.connected, 'the connection to be ended');
/** Aedes refuses with a CONNACK, Mosquitto with a TLS alert; both are told apart from a broken network. */
const refused = {
  aedes: (code = 5) => expect.objectContaining({ code }),
  mosquitto: () => expect.objectContaining({ code: expect.stringMatching(/ALERT/) }),
};

describe.each(brokers.map((kind) => ({ kind })))('at $kind', ({ kind }) => {
  const makeWorld = async (options: Parameters<typeof brokerWorld>[0] = {}) => {
    world = await brokerWorld({ kind, ...options });
    return world;
  };
  /** The broker beside the cloud tells a moment later who came. */
  const known = (...uuids: readonly string[]) =>
    until(
      () => uuids.every((uuid) => world.broker.connectedDevices().includes(uuid)),
      'the broker to be known to have the devices',
    );

  describe.skipIf(isMissing(kind))('MQT-01 who is let in', () => {
    it('lets in a device with an active certificate', async () => {
      await makeWorld();
      const device = await world.issue();
      const client = await world.connect(device);
      expect(client.connected).toBe(true);
      await known(device.deviceUuid);
      expect(world.broker.connectedDevices()).toEqual([device.deviceUuid]);
    });

    it('refuses a client without a certificate, and says so', async () => {
      await makeWorld();
      await expect(
        world.connect({ deviceUuid: randomUUID(), keyPem: undefined as never, chainPem: undefined as never }),
      ).rejects.toEqual(refused[kind]());
    });

    it('refuses a certificate of another authority, of any name', async () => {
      await makeWorld();
      const other = await brokerWorld();
      const stranger = await other.issue();
      world.statuses.set(stranger.serial, { deviceUuid: stranger.deviceUuid, status: 'ACTIVE' });
      await expect(world.connect(stranger)).rejects.toEqual(refused[kind]());
      // The name in it is not proven: no device is blamed.
      expect(world.events.filter(({ deviceUuid }) => deviceUuid !== undefined)).toEqual([]);
      await other.close();
    });

    it('refuses an expired certificate', async () => {
      await makeWorld({ clock: fakeClock(Date.now() - 3_600_000) });
      const device = await world.issue({ validityMs: 60_000 });
      await expect(world.connect(device)).rejects.toEqual(refused[kind]());
    });

    it('refuses a certificate for servers', async () => {
      await makeWorld();
      const server = await world.ca.signServer({ names: ['localhost'] });
      await expect(world.connect({ deviceUuid: randomUUID(), ...server })).rejects.toEqual(refused[kind]());
    });

    it('refuses a revoked certificate by the list of the authority, which can be changed while it runs', async () => {
      await makeWorld();
      const [good, bad] = [await world.issue(), await world.issue()];
      expect((await world.connect(bad)).connected).toBe(true);
      await world.setCrls(await world.crls([{ serial: bad.serial, at: new Date() }]));
      await expect(world.connect(bad)).rejects.toEqual(refused[kind]());
      expect((await world.connect(good)).connected).toBe(true);
      await expect(world.setCrls(['garbage'])).rejects.toThrow();
      await expect(world.connect(bad)).rejects.toEqual(refused[kind]());
    });

    it('MQT-11 gives nothing to a client without TLS', async () => {
      await makeWorld();
      const socket = tcpConnect(world.broker.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(Buffer.from('101000044d5154540402003c00046162636400', 'hex'));
      const answer: Buffer[] = [];
      socket.on('data', (data: Buffer) => answer.push(data));
      await new Promise((closed) => socket.once('close', closed));
      // At most a TLS alert record (type 21), never a CONNACK.
      expect(Buffer.concat(answer)[0] ?? 0x15).toBe(0x15);
    });

    it('MQT-05 pushes nobody out who is named by another as its client id', async () => {
      await makeWorld();
      const [a, b] = [await world.issue(), await world.issue()];
      const client = await world.connect(a);
      const thief = world.connect({ ...b, deviceUuid: a.deviceUuid });
      if (kind === 'aedes') {
        await expect(thief).rejects.toEqual(refused.aedes(2));
        expect(world.events).toContainEqual(
          expect.objectContaining({ code: 'CLIENT_ID_MISMATCH', deviceUuid: b.deviceUuid }),
        );
      } else {
        // Under its own name, whatever it called itself.
        await thief;
        await known(a.deviceUuid, b.deviceUuid);
      }
      expect(client.connected).toBe(true);
    });

    it('lets nobody hear a will on any topic but the own connection topic, nor a retained one', async () => {
      await makeWorld();
      const device = await world.issue();
      const own = topics.connectionStatus.build(device);
      const foreign = topics.connectionStatus.build({ deviceUuid: randomUUID() });
      const heard: string[] = [];
      await world.broker.link.subscribe(['telemetry/#'], (topic) => heard.push(topic));
      const leaveWill = async (topic: string, retain: boolean) => {
        const will = { topic, payload: Buffer.from('x'), qos: 0 as const, retain };
        const client = await world.connect(device, { will, connectTimeout: 1_000 });
        client.stream.destroy();
      };
      if (kind === 'aedes') {
        await expect(leaveWill(foreign, false)).rejects.toEqual(refused.aedes());
        await expect(leaveWill(own, true)).rejects.toEqual(refused.aedes());
      } else {
        await leaveWill(foreign, false);
        await expect(leaveWill(own, true)).rejects.toThrow();
      }
      await leaveWill(own, false);
      await until(() => heard.length > 0, 'the will that is right');
      expect(heard).toEqual([own]);
    });
  });

  describe.skipIf(isMissing(kind))('a session that must end', () => {
    it('MQT-12 ends within a sweep of the end of its certificate', async () => {
      const clock = fakeClock();
      await makeWorld({ clock, config: { sweepEveryMs: 20, birthWithinMs: 1e12 } });
      const device = await world.issue({ validityMs: 600_000 });
      const client = await world.connect(device);
      await world.sayBirth(client, device);
      await known(device.deviceUuid);
      clock.advance(599_000);
      await new Promise((next) => setTimeout(next, 60));
      expect(client.connected).toBe(true);
      clock.advance(2_000);
      await closedOf(client);
    });

    it('PKI-01 ends when the cloud says so, and takes no other along', async () => {
      await makeWorld();
      const [a, b] = [await world.issue(), await world.issue()];
      const own = topics.connectionStatus.build(a);
      const wills: string[] = [];
      await world.broker.link.subscribe([own], (_topic, payload) =>
        wills.push(Buffer.from(payload).toString()),
      );
      const client = await world.connect(a, {
        will: { topic: own, payload: Buffer.from('gone'), qos: 0, retain: false },
      });
      const other = await world.connect(b);
      await known(a.deviceUuid, b.deviceUuid);
      world.broker.endSession(a.deviceUuid, 'revoked');
      await closedOf(client);
      if (kind === 'aedes') {
        await until(() => wills.length === 1, 'the will');
        expect(wills).toEqual(['gone']);
      }
      expect(other.connected).toBe(true);
      await until(() => world.broker.connectedDevices().length === 1, 'it to be known as gone');
      expect(world.broker.connectedDevices()).toEqual([b.deviceUuid]);
    });

    it('PKI-01 ends when its end was missed and everyone is looked up again, and only then', async () => {
      await makeWorld();
      const [revoked, good] = [await world.issue(), await world.issue()];
      const [leaving, staying] = [await world.connect(revoked), await world.connect(good)];
      await world.sayBirth(leaving, revoked);
      await world.sayBirth(staying, good);
      await until(async () => {
        const seen: string[] = [];
        await world.broker.recheckSessions(async (serials) => {
          seen.push(...serials);
          return new Set();
        });
        return seen.length === 2;
      }, 'both certificates to be known');
      const asked: string[][] = [];
      await expect(
        world.broker.recheckSessions(() => Promise.reject(new Error('no database'))),
      ).rejects.toThrow();
      await world.broker.recheckSessions(async (serials) => {
        asked.push([...serials]);
        return new Set([revoked.serial]);
      });
      await closedOf(leaving);
      expect(asked[0]!.toSorted()).toEqual([revoked.serial, good.serial].toSorted());
      expect(staying.connected).toBe(true);
      await until(() => world.broker.connectedDevices().length === 1, 'it to be known as gone');
    });

    it('ends when it sends no birth in time, and stays when it does', async () => {
      const clock = fakeClock();
      await makeWorld({ clock, config: { sweepEveryMs: 20 } });
      const [silent, speaking] = [await world.issue(), await world.issue()];
      const [one, two] = [await world.connect(silent), await world.connect(speaking)];
      await known(silent.deviceUuid, speaking.deviceUuid);
      const heard: string[] = [];
      await world.broker.link.subscribe([topics.connectionStatus.filter()], (topic) => heard.push(topic));
      await world.sayBirth(two, speaking);
      await until(() => heard.length === 1, 'the birth');
      clock.advance(31_000);
      await closedOf(one);
      expect(two.connected).toBe(true);
    });

    it('MQT-10 hands the session to the last one who comes, and suspects a clone at the third time', async () => {
      await makeWorld();
      const device = await world.issue();
      const first = await world.connect(device);
      await world.connect(device);
      await closedOf(first);
      await world.connect(device);
      expect(world.events).toEqual([]);
      await world.connect(device);
      await until(
        () =>
          world.events.some(
            ({ code, deviceUuid }) => code === 'CLONE_SUSPECTED' && deviceUuid === device.deviceUuid,
          ),
        'the suspicion',
      );
      expect(world.broker.connectedDevices()).toEqual([device.deviceUuid]);
    });
  });

  describe.skipIf(isMissing(kind))('rights on topics', () => {
    it('MQT-02 lets nobody hear what a device publishes on the topic of another, and keeps its connection', async () => {
      await makeWorld();
      const [a, b] = [await world.issue(), await world.issue()];
      const heard: string[] = [];
      await world.broker.link.subscribe(['#'], (topic) => heard.push(topic));
      const client = await world.connect(a);
      const mine = topics.commandsStatus.build(a);
      for (const topic of [
        ...deviceRights(b.deviceUuid).publish.map((filter) => filter.replaceAll('+', 'x')),
        topics.systemReset.build(a),
        topics.command.build({ ...a, componentType: 'pump', action: 'on' }),
        topics.clientState.build({ ...a, userEmail: 'x@example.org' }),
        '$SYS/x',
        '$CONTROL/dynamic-security/v1',
        'a/b/c',
      ])
        await client.publishAsync(topic, 'forged', { qos: 1 });
      await client.publishAsync(mine, 'honest', { qos: 1 });
      await until(() => heard.includes(mine), 'the honest message');
      expect(heard).toEqual([mine]);
      expect(client.connected).toBe(true);
      if (kind === 'aedes')
        expect(world.events.filter(({ code }) => code === 'PUBLISH_DENIED')).toHaveLength(10);
    });

    it('MQT-03 MQT-13 delivers nothing but the own orders, whatever is subscribed to', async () => {
      await makeWorld();
      const [a, b] = [await world.issue(), await world.issue()];
      const client = await world.connect(a);
      const heard: string[] = [];
      client.on('message', (topic) => heard.push(topic));
      for (const filter of [
        '#',
        '+/+',
        '$SYS/#',
        '$SYS/broker/log/#',
        '$CONTROL/dynamic-security/v1/response',
        '$share/x/#',
        '$share/ingest-1/telemetry/#',
        'commands/#',
        `commands/${b.deviceUuid}/#`,
        `commands/+/telemetry/ack`,
        topics.systemReset.build(b),
        'telemetry/#',
        '$denied',
        'client/state/+/+',
      ]) {
        const subscribing = client.subscribeAsync(filter);
        if (kind === 'aedes') await expect(subscribing, filter).rejects.toThrow();
        else await subscribing;
      }
      if (kind === 'mosquitto') {
        // What it may hear comes once for each filter that fits; only the own ones stay.
        for (const filter of ['#', '$share/x/#', 'commands/#', 'commands/+/telemetry/ack'])
          await client.unsubscribeAsync(filter);
      }
      await client.subscribeAsync([...deviceRights(a.deviceUuid).subscribe]);
      await world.broker.link.publish(topics.systemReset.build(b), 'not for a');
      await world.broker.link.publish(topics.telemetryAck.build(b), 'not for a');
      await world.broker.link.publish(
        topics.clientState.build({ userEmail: 'x@example.org', ...b }),
        'not for a',
      );
      await world.broker.link.publish(topics.telemetryAck.build(a), 'for a');
      await until(() => heard.length > 0, 'the own message');
      expect(heard).toEqual([topics.telemetryAck.build(a)]);
    });

    it('MQT-07 keeps no message of a device for later subscribers', async () => {
      await makeWorld();
      const device = await world.issue();
      const client = await world.connect(device);
      client.publish(topics.commandsStatus.build(device), 'kept?', { qos: 0, retain: true }, () => undefined);
      if (kind === 'mosquitto') await closedOf(client);
      const again = kind === 'mosquitto' ? await world.connect(device) : client;
      const heard: string[] = [];
      await world.broker.link.subscribe(['telemetry/#'], (_topic, payload) =>
        heard.push(Buffer.from(payload).toString()),
      );
      await again.publishAsync(topics.commandsStatus.build(device), 'now', { qos: 1 });
      await until(() => heard.length > 0, 'the later message');
      expect(heard).toEqual(['now']);
    });
  });

  describe.skipIf(isMissing(kind))('MQT-08 what is too much', () => {
    it('refuses a packet by the length that it announces, and leaves the others alone', async () => {
      await makeWorld();
      const [a, b] = [await world.issue(), await world.issue()];
      const [big, other] = [await world.connect(a), await world.connect(b)];
      const before = process.memoryUsage().rss;
      big.publish(
        topics.commandsStatus.build(a),
        Buffer.alloc(64 * 1024 * 1024),
        { qos: 0 },
        () => undefined,
      );
      await closedOf(big);
      if (kind === 'aedes') {
        expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
        expect(world.events).toContainEqual({ code: 'PACKET_TOO_LARGE', deviceUuid: a.deviceUuid });
      }
      await other.publishAsync(topics.commandsStatus.build(b), 'fine', { qos: 1 });
      expect(other.connected).toBe(true);
    });

    it('carries a signed message of the largest size', async () => {
      await makeWorld();
      const device = await world.issue();
      const client = await world.connect(device);
      let bytes = 0;
      await world.broker.link.subscribe(['telemetry/#'], (_topic, payload) => {
        bytes = payload.length;
      });
      await client.publishAsync(topics.commandsStatus.build(device), Buffer.alloc(65_536), { qos: 1 });
      await until(() => bytes === 65_536, 'the message');
    });

    it('ends a connection that publishes on a topic of 65,535 levels', async () => {
      await makeWorld();
      const client = await world.connect(await world.issue());
      client.publish('/'.repeat(65_534), 'x', { qos: 0 }, () => undefined);
      await closedOf(client);
    });
  });
});
