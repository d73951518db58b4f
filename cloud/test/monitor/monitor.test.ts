import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { signMessage, topics } from '@ares/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokers, isMissing } from '../../../test/support/brokers.ts';
import { printable } from '../../src/cli/commands/mqtt.ts';
import { createDecoder } from '../../src/monitor/decode.ts';
import type { Seen } from '../../src/monitor/types.ts';
import { watchMessages } from '../../src/monitor/watch.ts';
import type { BrokerLink } from '../../src/ports/broker-link.ts';
import { createMac } from '../../src/telemetry/device-keys.ts';
import { createDeviceDirectory, type DeviceDirectory } from '../../src/telemetry/directory.ts';
import { createDirectoryRepository } from '../../src/telemetry/directory-repository.ts';
import { openService } from '../support/broker-service.ts';
import { type BrokerWorld, brokerWorld } from '../support/broker-world.ts';
import { type LiveDevice, type LiveWorld, liveWorld } from '../support/live-world.ts';
import { until } from '../support/quiet.ts';

describe('ares mqtt monitor', () => {
  let world: LiveWorld;
  let link: BrokerLink;
  let directory: DeviceDirectory;
  let device: LiveDevice;
  beforeAll(async () => {
    world = await liveWorld({ quarantine: false });
    link = await openService(world, 'ares-monitor');
    directory = createDeviceDirectory({
      repository: createDirectoryRepository(world.database),
      database: world.database,
      secrets: world.secrets,
      clock: world.clock,
    });
    device = await world.newDevice();
  }, 60_000);
  afterAll(async () => {
    directory?.close();
    await link?.close();
    await world?.close();
  });

  /** What it shows of what `act` causes, `count` messages. */
  async function seen(count: number, act: () => Promise<unknown>, deviceUuid?: string): Promise<Seen[]> {
    const shown: Seen[] = [];
    const listening = Promise.withResolvers<void>();
    const watched = watchMessages({
      link,
      decode: createDecoder({ directory, commandKeys: world.orders.publicJwks(), clock: world.clock }),
      deviceUuid,
      count,
      signal: AbortSignal.timeout(10_000),
      show: (one) => shown.push(one),
      listening: listening.resolve,
    });
    await listening.promise;
    await act();
    await watched;
    return shown;
  }

  it('decodes readings and their acknowledgement, and finds their MAC right', async () => {
    const [readings, ack] = await seen(2, () => device.readings([device.reading(1), device.reading(2)]));
    expect(readings).toMatchObject({
      verdict: 'OK',
      kid: 'a1.1',
      kind: 'componentStatus',
      from: 'device',
      deviceUuid: device.deviceUuid,
      bytes: expect.any(Number),
      detail: '2 readings (seq 1-2), temperature 21.5, temperature 21.5',
    });
    expect(ack).toMatchObject({ verdict: 'OK', kind: 'telemetryAck', from: 'cloud', detail: 'stored 1-2' });
  });

  it('says what is wrong with a message: another MAC, none, another topic, another owner', async () => {
    const topic = topics.commandsStatus.build(device);
    const stranger = createMac(randomBytes(32));
    const foreign = device.topicOf('dht22', 'eve@example.org');
    const body = device.header({ results: [] });
    const shown = await seen(6, async () => {
      await device.sendRaw(topic, signMessage(topic, body, stranger));
      await device.sendRaw(topic, JSON.stringify(body));
      await device.sendRaw(topic, signMessage(topics.otaStatus.build(device), body, device.mac));
      await device.send(topic, body);
      await device.send(foreign, device.header({ readings: [] }));
      await device.send(topics.connectionStatus.build(device), {
        ...device.header({ cpuSerial: '00000000deadbeef' }),
        event: 'offline',
        connectionId: randomUUID(),
      });
    });
    expect(shown.map(({ verdict }) => verdict)).toEqual([
      'MAC_MISMATCH',
      'NOT_SIGNED',
      'MAC_MISMATCH',
      'SCHEMA',
      'TOPIC_OWNER_MISMATCH',
      'PAIR_MISMATCH',
    ]);
    // Nothing is shown of what nobody can vouch for.
    for (const one of shown.slice(0, 3)) expect(one).not.toHaveProperty('body');
  });

  it('checks orders as the device does: signature, kind, device and topic', async () => {
    const { deviceUuid } = device;
    const topic = topics.command.build({ deviceUuid, componentType: 'pump', action: 'on' });
    const iat = world.clock.now() / 1_000;
    const claims = {
      aud: deviceUuid,
      asg: 1,
      topic,
      jti: randomUUID(),
      exp: iat + 60,
      seq: 1,
      componentId: device.components['pump']!,
      componentType: 'pump',
      action: 'on',
      args: { durationMs: 1_000 },
    };
    const sign = (over: object = {}) => world.orders.sign('command+jwt', { ...claims, ...over });
    const good = await sign();
    const [head, payload, signature] = good.split('.') as [string, string, string];
    const say = (jws: string) => world.broker.link.publish(topic, jws, { qos: 1 });
    const shown = await seen(
      7,
      async () => {
        await say(good);
        await say(`${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`);
        await say(await world.orders.sign('reset+jwt', claims));
        await say(await sign({ aud: randomUUID() }));
        await say(
          await sign({ topic: topics.command.build({ deviceUuid, componentType: 'pump', action: 'off' }) }),
        );
        await say(await sign({ asg: 2 }));
        await say(await sign({ exp: iat - 60 }));
      },
      deviceUuid,
    );
    expect(shown.map(({ verdict }) => verdict)).toEqual([
      'OK',
      'SIGNATURE',
      'TYPE',
      'AUDIENCE',
      'TOPIC',
      'ASSIGNMENT',
      'EXPIRED',
    ]);
    expect(shown[0]).toMatchObject({
      kind: 'command',
      from: 'cloud',
      kid: world.orders.publicJwks().keys[0]!.kid,
      detail: `pump (${device.components['pump']}) on {"durationMs":1000}, seq 1`,
    });
  });

  it('SEC-02 shows a change of Wi-Fi without its credentials, and no secret of the device', async () => {
    const credentials = { ssid: 'canary-network-0815', password: 'canary basil 4711' };
    const shown = await seen(1, () =>
      world.wifiChanges.change({
        caller: { userId: device.user.id },
        access: {
          deviceId: device.deviceId,
          deviceUuid: device.deviceUuid,
          assignmentId: device.assignmentId,
          role: 'owner',
        },
        credentials,
        ttlSeconds: 60,
        source: '127.0.0.1',
        waitSeconds: 0,
        signal: new AbortController().signal,
      }),
    );
    expect(shown).toMatchObject([{ kind: 'wifiChange', verdict: 'OK' }]);
    const text = JSON.stringify(shown);
    const jwe = device.orders.at(-1)!.jws;
    for (const secret of [credentials.ssid, credentials.password, jwe.split('.')[1]!.slice(0, 40)])
      expect(text).not.toContain(secret);
    expect(text).toMatch(/sealed for the device \(\d+ characters\)/);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(text).not.toContain(device.secret.toString(encoding));
  });

  it('shows what is no topic of Ares and devices that nobody knows, and only the device that is asked for', async () => {
    const other = await world.newDevice();
    const unknown = randomUUID();
    const shown = await seen(2, async () => {
      await world.broker.link.publish(topics.otaStatus.build({ deviceUuid: unknown }), '{}', { qos: 1 });
      await world.broker.link.publish('telemetry/what/is/this', 'x', { qos: 1 });
    });
    expect(shown.map(({ verdict }) => verdict)).toEqual(['UNKNOWN_DEVICE', 'UNKNOWN_TOPIC']);
    const mine = await seen(
      1,
      async () => {
        await other.send(topics.otaStatus.build(other), other.header());
        await device.send(topics.otaStatus.build(device), device.header());
      },
      device.deviceUuid,
    );
    expect(mine.map((one) => one.deviceUuid)).toEqual([device.deviceUuid]);
  });

  it('believes the secret that came with a renewal, without being started again', async () => {
    const fresh = await world.newDevice();
    const topic = topics.otaStatus.build(fresh);
    await seen(1, () => fresh.send(topic, fresh.header()), fresh.deviceUuid);
    const secret = randomBytes(32);
    const { db } = world.database;
    await db
      .updateTable('assignment_secrets')
      .set({ retired_at: new Date() })
      .where('assignment_id', '=', fresh.assignmentId)
      .execute();
    const context = `assignment-secret:${fresh.deviceUuid}:1:2`;
    await db
      .insertInto('assignment_secrets')
      .values({
        assignment_id: fresh.assignmentId,
        n: 2,
        sealed: Buffer.from(await world.secrets.seal(secret, context)),
      })
      .execute();
    await world.database.notify(db, 'device', { deviceUuid: fresh.deviceUuid });
    const mac = createMac(secret);
    await until(async () => {
      const [one] = await seen(
        1,
        () => fresh.sendRaw(topic, signMessage(topic, fresh.header({ kid: 'a1.2' }), mac)),
        fresh.deviceUuid,
      );
      return one?.verdict === 'OK' && one.kid === 'a1.2';
    }, 'the new secret');
  });
});

describe('what a stranger says', () => {
  it('does not steer the terminal', () => {
    expect(printable('a\u001b[2Jb\u009bc\u202ed\n')).toBe('a\\u001b[2Jb\\u009bc\\u202ed\\u000a');
    expect(printable('änna 21.5 °C')).toBe('änna 21.5 °C');
  });
});

describe.each(brokers)('ares-monitor at %s', (kind) => {
  let world: BrokerWorld;
  afterAll(() => world?.close());

  it.skipIf(isMissing(kind))('hears everything and can say nothing', async () => {
    world = await brokerWorld({ kind });
    const device = await world.issue();
    const topic = topics.commandsStatus.build(device);
    const order = topics.systemReset.build(device);
    const all: string[] = [];
    await world.broker.link.subscribe(['#'], (heard, payload) =>
      all.push(`${heard} ${Buffer.from(payload)}`),
    );
    const monitor = await openService(world, 'ares-monitor');
    const heard: string[] = [];
    await monitor.subscribe(
      ['telemetry/#', 'commands/#', 'system/#', 'client/#', 'operator/#'],
      (name, payload) => heard.push(`${name} ${createHash('sha256').update(payload).digest('hex').length}`),
    );
    const operator = topics.operatorTest.build(device);
    for (const place of [topic, order, topics.telemetryAck.build(device), operator, 'client/x'])
      await monitor.publish(place, 'not its to say', { qos: 1 }).catch(() => undefined);
    const again = await until(async () => {
      await world.broker.link.publish(order, 'the cloud speaks', { qos: 1 });
      return heard.length > 0;
    }, 'the order');
    expect(again).toBe(true);
    await until(() => all.some((one) => one.includes('the cloud speaks')), 'the order');
    expect(all.filter((one) => one.includes('not its to say'))).toEqual([]);
    await monitor.close();
  });
});
