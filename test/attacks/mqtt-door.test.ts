import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect as tcpConnect } from 'node:net';
import { deviceRights, topics } from '@ares/protocol';
import type { MqttClient } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerWorld, brokerWorld } from '../../cloud/test/support/broker-world.ts';
import { fakeClock, until } from '../../cloud/test/support/quiet.ts';

let world: BrokerWorld;
afterEach(async () => {
  await world?.close();
});

const refusedWith = (code: number) => expect.objectContaining({ code });
const closedOf = (client: MqttClient) => until(() => !client.connected, 'the connection to be ended');

describe('MQT-01 who is let in', () => {
  it('lets in a device with an active certificate', async () => {
    world = await brokerWorld();
    const device = await world.issue();
    const client = await world.connect(device);
    expect(client.connected).toBe(true);
    expect(world.broker.connectedDevices()).toEqual([device.deviceUuid]);
  });

  it('refuses a client without a certificate with a CONNACK', async () => {
    world = await brokerWorld();
    await expect(
      world.connect({ deviceUuid: randomUUID(), keyPem: undefined as never, chainPem: undefined as never }),
    ).rejects.toEqual(refusedWith(5));
  });

  it('refuses a certificate of another authority, of any name', async () => {
    world = await brokerWorld();
    const other = await brokerWorld();
    const stranger = await other.issue();
    world.statuses.set(stranger.serial, { deviceUuid: stranger.deviceUuid, status: 'ACTIVE' });
    await expect(world.connect(stranger)).rejects.toEqual(refusedWith(5));
    expect(world.events).toContainEqual(expect.objectContaining({ code: 'CERTIFICATE_REFUSED' }));
    // The name in it is not proven: no device is blamed.
    expect(world.events[0]?.deviceUuid).toBeUndefined();
    await other.close();
  });

  it('refuses an expired certificate', async () => {
    const clock = fakeClock(Date.now() - 3_600_000);
    world = await brokerWorld({ clock });
    const device = await world.issue({ validityMs: 60_000 });
    await expect(world.connect(device)).rejects.toEqual(refusedWith(5));
  });

  it('refuses a certificate for servers', async () => {
    world = await brokerWorld();
    const server = await world.ca.signServer({ names: ['localhost'] });
    await expect(world.connect({ deviceUuid: randomUUID(), ...server })).rejects.toEqual(refusedWith(5));
  });

  it('refuses a revoked certificate by the list of the authority, which can be changed while it runs', async () => {
    world = await brokerWorld();
    const [good, bad] = [await world.issue(), await world.issue()];
    world.setCrls(await world.crls([{ serial: bad.serial, at: new Date() }]));
    await expect(world.connect(bad)).rejects.toEqual(refusedWith(5));
    expect((await world.connect(good)).connected).toBe(true);
    expect(() => world.setCrls(['garbage'])).toThrow();
    await expect(world.connect(bad)).rejects.toEqual(refusedWith(5));
  });

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

  it('refuses a certificate that is revoked while it is being looked up', async () => {
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
    world.broker.endSession(device.deviceUuid, 'revoked');
    release();
    world.statuses.set(device.serial, { ...row, status: 'REVOKED' });
    await expect(connecting).rejects.toEqual(refusedWith(5));
  });

  it('MQT-11 gives nothing to a client without TLS', async () => {
    world = await brokerWorld();
    const socket = tcpConnect(world.broker.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(Buffer.from('101000044d5154540402003c00046162636400', 'hex'));
    const answer: Buffer[] = [];
    socket.on('data', (data: Buffer) => answer.push(data));
    await once(socket, 'close');
    // At most a TLS alert record (type 21), never a CONNACK.
    expect(Buffer.concat(answer)[0] ?? 0x15).toBe(0x15);
  });

  it('MQT-05 refuses another client id than the name in the certificate, so nobody is pushed out', async () => {
    world = await brokerWorld();
    const [a, b] = [await world.issue(), await world.issue()];
    const client = await world.connect(a);
    await expect(world.connect({ ...b, deviceUuid: a.deviceUuid })).rejects.toEqual(refusedWith(2));
    expect(client.connected).toBe(true);
    expect(world.events).toContainEqual(
      expect.objectContaining({ code: 'CLIENT_ID_MISMATCH', deviceUuid: b.deviceUuid }),
    );
  });

  it('refuses a will on any topic but the own connection topic, and a retained one', async () => {
    world = await brokerWorld();
    const device = await world.issue();
    const own = topics.connectionStatus.build(device);
    const foreign = topics.connectionStatus.build({ deviceUuid: randomUUID() });
    const will = (topic: string, retain: boolean) => ({
      will: { topic, payload: Buffer.from('x'), qos: 0 as const, retain },
    });
    await expect(world.connect(device, will(foreign, false))).rejects.toEqual(refusedWith(5));
    await expect(world.connect(device, will(own, true))).rejects.toEqual(refusedWith(5));
    expect((await world.connect(device, will(own, false))).connected).toBe(true);
  });
});

describe('a session that must end', () => {
  it('MQT-12 ends within a sweep of the end of its certificate', async () => {
    const clock = fakeClock();
    world = await brokerWorld({ clock, config: { sweepEveryMs: 20, birthWithinMs: 1e12 } });
    const client = await world.connect(await world.issue({ validityMs: 600_000 }));
    clock.advance(599_000);
    await new Promise((next) => setTimeout(next, 60));
    expect(client.connected).toBe(true);
    clock.advance(2_000);
    await closedOf(client);
  });

  it('PKI-01 ends when the cloud says so, with its will, and takes no other along', async () => {
    world = await brokerWorld();
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
    world.broker.endSession(a.deviceUuid, 'revoked');
    await closedOf(client);
    await until(() => wills.length === 1, 'the will');
    expect(wills).toEqual(['gone']);
    expect(other.connected).toBe(true);
    expect(world.broker.connectedDevices()).toEqual([b.deviceUuid]);
  });

  it('PKI-01 ends when its end was missed and everyone is looked up again, and only then', async () => {
    world = await brokerWorld();
    const [revoked, good] = [await world.issue(), await world.issue()];
    const [leaving, staying] = [await world.connect(revoked), await world.connect(good)];
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
    expect(world.broker.connectedDevices()).toEqual([good.deviceUuid]);
  });

  it('PKI-01 is not let in by a look-up that began before everyone is looked up again', async () => {
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
    await world.broker.recheckSessions(async () => new Set());
    release();
    world.statuses.set(device.serial, { ...row, status: 'REVOKED' });
    await expect(connecting).rejects.toEqual(refusedWith(5));
  });

  it('ends when it sends no birth in time, and stays when it does', async () => {
    const clock = fakeClock();
    world = await brokerWorld({ clock, config: { sweepEveryMs: 20 } });
    const [silent, speaking] = [await world.issue(), await world.issue()];
    const [one, two] = [await world.connect(silent), await world.connect(speaking)];
    await two.publishAsync(topics.connectionStatus.build(speaking), 'birth', { qos: 1 });
    clock.advance(31_000);
    await closedOf(one);
    expect(two.connected).toBe(true);
  });

  it('MQT-10 hands the session to the last one who comes, and suspects a clone at the third time', async () => {
    world = await brokerWorld();
    const device = await world.issue();
    const first = await world.connect(device);
    await world.connect(device);
    await closedOf(first);
    await world.connect(device);
    expect(world.events).toEqual([]);
    await world.connect(device);
    expect(world.events).toContainEqual(
      expect.objectContaining({ code: 'CLONE_SUSPECTED', deviceUuid: device.deviceUuid }),
    );
    expect(world.broker.connectedDevices()).toEqual([device.deviceUuid]);
  });
});

describe('rights on topics', () => {
  it('MQT-02 lets nobody hear what a device publishes on the topic of another, and keeps its connection', async () => {
    world = await brokerWorld();
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
      'a/b/c',
    ])
      await client.publishAsync(topic, 'forged', { qos: 1 });
    await client.publishAsync(mine, 'honest', { qos: 1 });
    await until(() => heard.includes(mine), 'the honest message');
    expect(heard).toEqual([mine]);
    expect(client.connected).toBe(true);
    expect(world.events.filter(({ code }) => code === 'PUBLISH_DENIED')).toHaveLength(9);
  });

  it('ends the connection of a device that keeps on publishing what it may not', async () => {
    world = await brokerWorld();
    const client = await world.connect(await world.issue());
    for (let i = 0; i < 60 && client.connected; i++)
      await client.publishAsync('not/mine', 'x', { qos: 0 }).catch(() => undefined);
    await closedOf(client);
  });

  it('MQT-03 MQT-13 refuses subscriptions to anything but the own orders', async () => {
    world = await brokerWorld();
    const [a, b] = [await world.issue(), await world.issue()];
    const client = await world.connect(a);
    const heard: string[] = [];
    client.on('message', (topic) => heard.push(topic));
    for (const filter of [
      '#',
      '+/+',
      '$SYS/#',
      '$share/x/#',
      '$share/ingest-1/telemetry/#',
      'commands/#',
      `commands/${b.deviceUuid}/#`,
      `commands/+/telemetry/ack`,
      topics.systemReset.build(b),
      'telemetry/#',
      '$denied',
      'client/state/+/+',
    ])
      await expect(client.subscribeAsync(filter), filter).rejects.toThrow();
    await client.subscribeAsync([...deviceRights(a.deviceUuid).subscribe]);
    await world.broker.link.publish(topics.systemReset.build(b), 'not for a');
    await world.broker.link.publish(topics.telemetryAck.build(b), 'not for a');
    await world.broker.link.publish(topics.telemetryAck.build(a), 'for a');
    await until(() => heard.length > 0, 'the own message');
    expect(heard).toEqual([topics.telemetryAck.build(a)]);
  });

  it('MQT-07 keeps no message of a device for later subscribers', async () => {
    world = await brokerWorld();
    const device = await world.issue();
    const client = await world.connect(device);
    await client.publishAsync(topics.commandsStatus.build(device), 'kept?', { qos: 1, retain: true });
    const heard: string[] = [];
    await world.broker.link.subscribe(['telemetry/#'], (topic) => heard.push(topic));
    const service = await world.ca.signService({ commonName: 'ares-ingest' });
    const late = await world.connect({ deviceUuid: 'ares-ingest-1', ...service });
    late.on('message', (topic) => heard.push(topic));
    await late.subscribeAsync('telemetry/#');
    await client.publishAsync(topics.commandsStatus.build(device), 'now', { qos: 1 });
    await until(() => heard.length >= 2, 'the later message, twice');
    expect(heard).toHaveLength(2);
  });

  it('gives a service the rights of its certificate, under a client id of its own name only', async () => {
    world = await brokerWorld();
    const service = await world.ca.signService({ commonName: 'ares-ingest' });
    const client = await world.connect({ deviceUuid: 'ares-ingest-7', ...service });
    await client.subscribeAsync('telemetry/#');
    await expect(world.connect({ deviceUuid: 'ares-api-7', ...service })).rejects.toEqual(refusedWith(2));
  });
});

describe('MQT-08 what is too much', () => {
  it('refuses a packet by the length that it announces, and leaves the others alone', async () => {
    world = await brokerWorld();
    const [a, b] = [await world.issue(), await world.issue()];
    const [big, other] = [await world.connect(a), await world.connect(b)];
    const before = process.memoryUsage().rss;
    big.publish(topics.commandsStatus.build(a), Buffer.alloc(64 * 1024 * 1024), { qos: 0 }, () => undefined);
    await closedOf(big);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
    expect(world.events).toContainEqual({ code: 'PACKET_TOO_LARGE', deviceUuid: a.deviceUuid });
    await other.publishAsync(topics.commandsStatus.build(b), 'fine', { qos: 1 });
    expect(other.connected).toBe(true);
  });

  it('ends a connection that publishes on a topic of 65,535 levels', async () => {
    world = await brokerWorld();
    const client = await world.connect(await world.issue());
    client.publish('/'.repeat(65_534), 'x', { qos: 0 }, () => undefined);
    await closedOf(client);
  });

  it('slows a device down to its rate without losing a message', async () => {
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
});
