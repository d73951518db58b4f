import { signMessage } from '@ares/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { createMac } from '../../cloud/src/telemetry/device-keys.ts';
import {
  type LiveDevice,
  type LiveWorld,
  liveWorld,
  newBoot,
  range,
} from '../../cloud/test/support/live-world.ts';
import { fakeClock, until } from '../../cloud/test/support/quiet.ts';

let world: LiveWorld;
afterEach(async () => {
  await world?.close();
});

const countRows = async () => {
  const row = await world.database.db
    .selectFrom('telemetry_data')
    .select(({ fn }) => fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return Number(row.n);
};
const eventsOf = (code: string) =>
  world.database.db.selectFrom('security_events').where('code', '=', code).selectAll().execute();
/** Answered after everything before it was handled: what it does not show was met with silence. */
const settled = async (device: LiveDevice, seq: number) => {
  await device.readings([device.reading(seq)]);
  await until(() => device.stored().has(seq), 'the marker');
};

describe('messages that are not the device’s own', () => {
  it('TEL-01 are met with silence whichever bit of the payload is flipped, and counted', async () => {
    world = await liveWorld({ quarantine: false });
    const device = await world.newDevice();
    await settled(device, 1);
    const topic = device.topicOf('dht22');
    const message = signMessage(topic, device.header({ readings: [device.reading(500)] }), device.mac);
    for (let bit = 0; bit < message.length * 8; bit++) {
      const flipped = Buffer.from(message);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await device.sendRaw(topic, flipped);
    }
    await settled(device, 2);
    expect(world.ingest.counters.notAuthentic).toBe(message.length * 8);
    expect(device.acks).toHaveLength(2);
    expect(await countRows()).toBe(2);
  });

  it('TEL-01 are met with silence when the topic is another than the one signed', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const [signed, published] = [device.topicOf('dht22'), device.topicOf('cpu')];
    const message = signMessage(signed, device.header({ readings: [device.reading(9)] }), device.mac);
    await device.sendRaw(published, message);
    await settled(device, 1);
    expect(device.acks).toHaveLength(1);
  });

  it('TEL-02 are met with silence when the MAC is missing, empty, short, upper case, base64 or an array', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const topic = device.topicOf('dht22');
    const good = Buffer.from(
      signMessage(topic, device.header({ readings: [device.reading(9)] }), device.mac),
    ).toString();
    const mac = good.slice(8, 72);
    const rest = good.slice(74);
    for (const forged of [
      `{${rest}`,
      `{"mac":"",${rest}`,
      `{"mac":"${mac.slice(1)}",${rest}`,
      `{"mac":"${mac.toUpperCase()}",${rest}`,
      `{"mac":"${Buffer.from(mac, 'hex').toString('base64')}",${rest}`,
      `{"mac":["${mac}"],${rest}`,
      `{ "mac":"${mac}",${rest}`,
      '',
      '{',
      '[]',
      'null',
    ])
      await device.sendRaw(topic, forged);
    await settled(device, 1);
    expect(device.acks).toHaveLength(1);
    expect(await countRows()).toBe(1);
  });

  it('TEL-06 are refused when signed with an unknown key, one of another kid, or one retired a day ago', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice();
    const topic = device.topicOf('dht22');
    const unknown = createMac(Buffer.alloc(32, 7));
    await device.sendRaw(
      topic,
      signMessage(topic, device.header({ readings: [device.reading(7)] }), unknown),
    );
    await device.readings([device.reading(8)], { kid: 'a1.2' });
    await device.readings([device.reading(9)], { assignment: 2 });
    await settled(device, 1);

    await world.database.db
      .updateTable('assignment_secrets')
      .set({ retired_at: new Date(clock.now()) })
      .execute();
    await world.database.notify(world.database.db, 'device', { deviceUuid: device.deviceUuid });
    clock.advance(23 * 3_600_000);
    await settled(device, 2);
    clock.advance(2 * 3_600_000);
    await device.readings([device.reading(10)]);
    await until(() => world.ingest.counters.notAuthentic === 4, 'the refusal');
    expect(await countRows()).toBe(2);
  });

  it('are refused under the e-mail of another, from another board, or of another hardware', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const stranger = await world.newUser('stranger@example.org');
    const foreign = device.topicOf('dht22', stranger.email);
    await device.send(foreign, device.header({ readings: [device.reading(7)] }));
    await device.readings([device.reading(8)], { cpuSerial: '00000000aaaaaaaa' });
    await device.readings([device.reading(9)], { hardwareVariant: 'other' });
    await settled(device, 1);
    expect(device.acks).toHaveLength(1);
    await world.security.flush();
    for (const code of ['TOPIC_OWNER_MISMATCH', 'PAIR_MISMATCH', 'HARDWARE_MISMATCH'])
      expect(await eventsOf(code), code).toMatchObject([{ device_id: device.deviceId }]);
  });

  it('CLN-01 mark the device as copied when another board speaks with its secret, and for nothing less', async () => {
    world = await liveWorld();
    const [copied, forged] = [await world.newDevice(), await world.newDevice()];
    await copied.readings([copied.reading(1)], { cpuSerial: '00000000aaaaaaaa' });
    await forged.readings([forged.reading(1)], { hardwareVariant: 'other' });
    await until(() => world.ingest.counters.notAuthentic === 2, 'both messages');
    await world.security.flush();
    const rows = await world.database.db.selectFrom('devices').select(['id', 'clone_seen_at']).execute();
    const seen = new Map(rows.map((row) => [row.id, row.clone_seen_at]));
    expect(seen.get(copied.deviceId)).toEqual(expect.any(Date));
    expect(seen.get(forged.deviceId)).toBeNull();
  });

  it('are ignored from the moment that the assignment has ended', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await settled(device, 1);
    await world.database.db.updateTable('assignments').set({ ended_at: new Date() }).execute();
    await world.database.notify(world.database.db, 'device', { deviceUuid: device.deviceUuid });
    await until(async () => {
      const before = device.acks.length;
      await device.readings([device.reading(2 + before)]);
      await new Promise((next) => setTimeout(next, 100));
      return device.acks.length === before;
    }, 'the silence');
  });
});

describe('TEL-09 values that are none', () => {
  it('are refused one by one; what is not JSON is refused as a whole, in silence', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const topic = device.topicOf('dht22');
    const raw = (value: string) => {
      const body = JSON.stringify(device.header({ readings: [{ ...device.reading(5), value: 0.125 }] }));
      const rest = Buffer.from(body.slice(1).replace('0.125', value));
      const head = Buffer.from(`ARES-HMAC-SHA256-V1\n${topic}\n`);
      return Buffer.concat([Buffer.from(`{"mac":"${device.mac([head, rest])}",`), rest]);
    };
    for (const value of ['NaN', 'Infinity', '-Infinity']) await device.sendRaw(topic, raw(value));
    await settled(device, 1);
    expect(device.acks).toHaveLength(1);
    for (const value of ['1e309', '-1e309', '"21"', '9223372036854775808', 'null', '[]'])
      await device.sendRaw(topic, raw(value));
    await until(() => device.acks.length === 7, 'the answers');
    expect(device.rejected().map(({ seq, code }) => `${seq} ${code}`)).toEqual([
      '5 SCHEMA',
      '5 SCHEMA',
      '5 SCHEMA',
      '5 RANGE',
      '5 SCHEMA',
      '5 SCHEMA',
    ]);
    await device.sendRaw(topic, raw('-0'));
    await until(() => device.stored().has(5), 'minus zero is zero');
    await device.readings(range(1, 501).map((seq) => device.reading(1_000 + seq)));
    await until(() => device.rejected().length === 506, 'too many at once');
    expect(await countRows()).toBe(2);
  });
});

describe('TEL-10 twenty failures within a minute', () => {
  const fail = async (device: LiveDevice, times: number) => {
    const topic = device.topicOf('dht22');
    const forged = signMessage(
      topic,
      device.header({ readings: [device.reading(9)] }),
      createMac(Buffer.alloc(32)),
    );
    for (let i = 0; i < times; i++) await device.sendRaw(topic, forged);
  };
  const lifeCycle = async (device: LiveDevice) =>
    (
      await world.database.db
        .selectFrom('devices')
        .where('id', '=', device.deviceId)
        .select('life_cycle')
        .executeTakeFirstOrThrow()
    ).life_cycle;
  const alerts = () =>
    world.database.db
      .selectFrom('alerts')
      .where('resolved_at', 'is', null)
      .select(['kind', 'device_id'])
      .execute();

  it('are a compromise: an alert, and quarantine, in which readings wait on the device', async () => {
    world = await liveWorld();
    const [device, other] = [await world.newDevice(), await world.newDevice()];
    await settled(device, 1);
    await fail(device, 19);
    await settled(device, 2);
    expect(await lifeCycle(device)).toBe('ACTIVE');
    await fail(device, 1);
    await until(async () => (await lifeCycle(device)) === 'QUARANTINED', 'the quarantine');
    expect(await alerts()).toEqual([{ kind: 'COMPROMISE_SUSPECTED', device_id: device.deviceId }]);
    await until(async () => {
      await device.readings([device.reading(3)]);
      return device.rejected().length > 0;
    }, 'the refusal');
    expect(device.rejected()[0]).toEqual({ seq: 3, code: 'QUARANTINED', final: false });
    expect(device.client.connected).toBe(true);
    await settled(other, 1);
    await world.security.flush();
    const rows = await eventsOf('MAC_MISMATCH');
    expect(rows.length).toBeLessThanOrEqual(2);
  });

  it('are none when spread over more than a minute', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice();
    await fail(device, 15);
    await settled(device, 1);
    clock.advance(61_000);
    await fail(device, 15);
    await settled(device, 2);
    expect(await lifeCycle(device)).toBe('ACTIVE');
  });

  it('of many devices at once make the broker suspect, and leave nobody quarantined', async () => {
    world = await liveWorld();
    const devices: LiveDevice[] = [];
    for (let i = 0; i < 7; i++) devices.push(await world.newDevice());
    for (const device of devices) await settled(device, 1);
    for (let round = 0; round < 25; round++) for (const device of devices) await fail(device, 1);
    for (const device of devices) {
      await until(async () => {
        if (!device.stored().has(2)) await device.readings([device.reading(2)]);
        return device.stored().has(2);
      }, 'the device to be listened to again');
    }
    await world.security.flush();
    for (const device of devices) expect(await lifeCycle(device)).toBe('ACTIVE');
    expect(await alerts()).toEqual([{ kind: 'BROKER_SUSPECTED', device_id: null }]);
  });

  it('follow a policy that does not quarantine', async () => {
    world = await liveWorld({ quarantine: false });
    const device = await world.newDevice();
    await fail(device, 25);
    await until(async () => (await alerts()).length === 1, 'the alert');
    expect(await lifeCycle(device)).toBe('ACTIVE');
  });
});

describe('CLN-04 a card that was restored', () => {
  const repeated = async () => {
    await world.security.flush();
    return await eventsOf('BOOT_COUNT_REPEATED');
  };

  it('is flagged at its birth; its readings are stored, its state does not go back', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const [newer, restored] = [newBoot(9), newBoot(9)];
    await device.birth(newer);
    await device.readings([device.reading(50, { value: 30 })], newer);
    await until(() => device.stored().has(50), 'the reading');
    await device.birth(restored);
    await device.readings([device.reading(3, { value: 10 })], restored);
    await until(() => device.stored().has(3), 'the reading of the restored card');
    expect(await repeated()).toMatchObject([{ device_id: device.deviceId }]);
    await until(
      async () => (await world.state.document(device.deviceUuid))?.['dht22_temp'] === 30,
      'the state',
    );
  });

  it('is no honest device that restarted without a network: its older boot arrives later', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const [older, running] = [newBoot(4), newBoot(5)];
    await device.birth(running);
    await device.readings([device.reading(1)], running);
    await device.readings([device.reading(1)], older);
    // The same boot names itself again after each reconnect.
    await device.birth(running);
    await until(() => device.acks.length >= 4, 'the answers');
    expect(await repeated()).toEqual([]);
  });
});
