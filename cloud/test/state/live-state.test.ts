import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryStateStore } from '../../src/adapters/memory-state-store.ts';
import { createLiveState } from '../../src/state/live-state.ts';
import { createStateRepository } from '../../src/state/repository.ts';
import { type LiveDevice, type LiveWorld, liveWorld, newBoot } from '../support/live-world.ts';
import { fakeClock, silentLogger, until } from '../support/quiet.ts';

let world: LiveWorld;
afterEach(async () => {
  await world?.close();
});

const documentOf = async (device: LiveDevice) => (await world.state.document(device.deviceUuid))!;
const shows = (device: LiveDevice, what: object) =>
  until(
    async () => {
      try {
        expect(await documentOf(device)).toMatchObject(what);
        return true;
      } catch {
        return false;
      }
    },
    `the document to show ${JSON.stringify(what)}`,
  );

describe('the state document', () => {
  it('shows a device that never spoke', async () => {
    world = await liveWorld();
    const device = await world.newDevice({ types: ['dht22'] });
    expect(await documentOf(device)).toEqual({
      deviceUuid: device.deviceUuid,
      nickname: null,
      device_status: 'OFFLINE',
      lastSeen: null,
      components: [
        { componentId: device.components['dht22'], componentType: 'dht22', status: 'STALE', metrics: {} },
      ],
    });
  });

  it('shows the newest values under the keys of their type, and health with its reason', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await device.birth({}, [
      { componentId: device.components['pump']!, status: 'ERROR', reason: 'no driver' },
    ]);
    await device.readings([
      device.reading(1, { value: 20 }),
      device.reading(2, { metric: 'humidity', value: 40 }),
    ]);
    await device.readings([device.reading(5, { value: 25 })]);
    await device.readings([device.reading(4, { value: 99 })].map((one) => ({ ...one, value: 24 })));
    await shows(device, { device_status: 'ONLINE', dht22_temp: 25, dht22_humidity: 40 });
    const { components } = await documentOf(device);
    expect(components.map(({ componentType, status, reason }) => [componentType, status, reason])).toEqual([
      ['dht22', 'OK', undefined],
      ['pump', 'ERROR', 'no driver'],
      ['cpu', 'STALE', undefined],
    ]);
    expect(components[0]!.metrics['temperature']).toMatchObject({ value: 25, unit: 'Cel' });
  });

  it('takes health that comes with readings, and none for a component of another type', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const { dht22, pump } = device.components;
    await device.readings([], {
      health: [
        { componentId: dht22, status: 'ERROR', reason: 'checksum' },
        { componentId: pump, status: 'ERROR', reason: 'forged' },
      ],
    });
    await until(async () => (await documentOf(device)).components[0]!.status === 'ERROR', 'the error');
    expect((await documentOf(device)).components[1]!.status).toBe('STALE');
  });

  it('is the same after the store was lost, from the database alone', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const [old, running] = [newBoot(1), newBoot(2)];
    await device.birth(running, [
      { componentId: device.components['pump']!, status: 'ERROR', reason: 'stuck' },
    ]);
    await device.readings([device.reading(9, { metric: 'humidity', value: 33 })], old);
    await device.readings([device.reading(1, { value: 18 })], running);
    await shows(device, { dht22_temp: 18, dht22_humidity: 33 });
    await until(async () => (await documentOf(device)).components[1]!.status === 'ERROR', 'the error');
    const before = await documentOf(device);
    await world.store.drop(device.deviceUuid);
    const after = await documentOf(device);
    expect({ ...after, lastSeen: null }).toEqual({ ...before, lastSeen: null });
  });

  it('grows stale when nothing comes any more', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice({ types: ['dht22'] });
    await device.birth();
    await device.readings([device.reading(1)]);
    await until(async () => (await documentOf(device)).components[0]!.status === 'OK', 'the value');
    clock.advance(61_000);
    expect((await documentOf(device)).components[0]!.status).toBe('STALE');
  });

  it('is read again by a process without ingest as soon as another one writes', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const reader = await createLiveState({
      store: createMemoryStateStore(),
      repository: createStateRepository(world.database),
      database: world.database,
      clock: world.clock,
      log: silentLogger,
      role: 'reader',
    });
    const changed: string[] = [];
    reader.onChange((deviceUuid) => changed.push(deviceUuid));
    expect((await reader.document(device.deviceUuid))?.device_status).toBe('OFFLINE');
    await device.birth();
    await device.readings([device.reading(1, { value: 12.5 })]);
    await until(async () => (await reader.document(device.deviceUuid))?.['dht22_temp'] === 12.5, 'the value');
    expect((await reader.document(device.deviceUuid))?.device_status).toBe('ONLINE');
    expect(changed).toContain(device.deviceUuid);
    await reader.close();
  });
});

describe('what goes wrong on the way', () => {
  const liveStateOf = (over: Partial<Parameters<typeof createLiveState>[0]>) =>
    createLiveState({
      store: createMemoryStateStore(),
      repository: createStateRepository(world.database),
      database: world.database,
      clock: world.clock,
      log: silentLogger,
      role: 'reader',
      ...over,
    });

  it('reads again what changed while it was being read', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const real = createStateRepository(world.database);
    const isRead = Promise.withResolvers<void>();
    const mayAnswer = Promise.withResolvers<void>();
    let first = true;
    const reader = await liveStateOf({
      repository: {
        ...real,
        async state(deviceUuid) {
          const found = await real.state(deviceUuid);
          if (first) {
            first = false;
            isRead.resolve();
            await mayAnswer.promise;
          }
          return found;
        },
      },
    });
    const changed = new Set<string>();
    reader.onChange((deviceUuid) => changed.add(deviceUuid));
    const asked = reader.document(device.deviceUuid);
    await isRead.promise;
    await device.birth();
    await until(() => changed.has(device.deviceUuid), 'the notice');
    mayAnswer.resolve();
    expect((await asked)?.device_status).toBe('ONLINE');
    expect((await reader.document(device.deviceUuid))?.device_status).toBe('ONLINE');
    await reader.close();
  });

  it('tells other processes again of a change when the first notice failed', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    let failures = 0;
    const writer = await liveStateOf({
      role: 'writer',
      database: {
        ...world.database,
        async notify(...notice) {
          failures += 1;
          if (failures === 1) throw new Error('the database is away');
          await world.database.notify(...notice);
        },
      },
    });
    const heard: string[] = [];
    const stop = world.database.listen(
      'state',
      ({ deviceUuids }) => heard.push(...deviceUuids),
      () => undefined,
    );
    await writer.born(device.deviceUuid, device.connectionId, world.clock.now());
    await until(() => heard.includes(device.deviceUuid), 'the second notice');
    expect(failures).toBeGreaterThan(1);
    stop();
    await writer.close();
  });

  it('keeps what a component said about itself while the database was away, and the values beside it', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const real = createStateRepository(world.database);
    let isAway = true;
    const writer = await liveStateOf({
      role: 'writer',
      repository: {
        ...real,
        async saveHealth(health) {
          if (isAway) throw new Error('the database is away');
          await real.saveHealth(health);
        },
      },
    });
    const { dht22, pump } = device.components;
    const say = (componentId: number, values: readonly { seq: number }[]) =>
      writer.take(device.deviceUuid, {
        values: values.map(({ seq }) => ({
          componentId: dht22!,
          metric: 'temperature',
          value: 7,
          measuredAt: world.clock.now(),
          bootCount: 1,
          seq,
        })),
        health: [{ componentId, status: 'ERROR', reason: 'stuck', bootCount: 1, uptimeMs: 5 }],
        seenAt: world.clock.now(),
      });
    say(pump!, [{ seq: 1 }]);
    await until(async () => (await writer.document(device.deviceUuid))?.['dht22_temp'] === 7, 'the value');
    isAway = false;
    say(dht22!, []);
    await until(
      async () => ((await real.state(device.deviceUuid))?.health.length ?? 0) === 2,
      'both components in the tables',
    );
    await writer.close();
  });
});

describe('presence', () => {
  it('follows birth and will, and a will of an earlier connection does not count', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await device.birth();
    await shows(device, { device_status: 'ONLINE' });
    const second = '00000000-0000-4000-8000-000000000002';
    await device.birth({ connectionId: second });
    await device.will();
    await device.readings([device.reading(1)]);
    await until(() => device.stored().has(1), 'the reading after the will');
    expect((await documentOf(device)).device_status).toBe('ONLINE');
    await device.will({ connectionId: second, sentAt: Date.now() - 3_600_000 });
    await shows(device, { device_status: 'OFFLINE' });
  });

  it('ignores a birth that is an hour old, one with a foreign certificate, and answers with the time', async () => {
    world = await liveWorld();
    const [device, other] = [await world.newDevice(), await world.newDevice()];
    await device.birth({ sentAt: Date.now() - 3_600_000 });
    await device.birth({ certificateSerial: other.serial });
    await until(() => device.acks.length === 2, 'the answers');
    expect(device.acks[0]).toMatchObject({ stored: [], rejected: [] });
    expect((await documentOf(device)).device_status).toBe('OFFLINE');
    await world.security.flush();
    const events = await world.database.db.selectFrom('security_events').select('code').execute();
    expect(events).toEqual([{ code: 'BIRTH_CERTIFICATE_MISMATCH' }]);
  });

  it('becomes Timeout after silence, ONLINE with the next message, and not while the broker holds the connection', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice();
    await device.birth();
    await shows(device, { device_status: 'ONLINE' });
    clock.advance(91_000);
    await createStateRepository(world.database).saveLastSeen(new Map([[device.deviceUuid, clock.now()]]));
    await world.state.sweep(90_000);
    expect((await documentOf(device)).device_status).toBe('ONLINE');
    clock.advance(91_000);
    await world.state.sweep(90_000);
    expect((await documentOf(device)).device_status).toBe('Timeout');
    await device.readings([device.reading(1)]);
    await shows(device, { device_status: 'ONLINE' });
    // Other processes see what the tables say.
    const tables = createStateRepository(world.database);
    await until(async () => (await tables.state(device.deviceUuid))?.presence === 'ONLINE', 'the tables');
  });

  it('is the same in memory and tables when a birth comes while silence is being written down', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice();
    const real = createStateRepository(world.database);
    const mayWrite = Promise.withResolvers<void>();
    const isWriting = Promise.withResolvers<void>();
    const state = await createLiveState({
      store: createMemoryStateStore(),
      repository: {
        ...real,
        async saveTimeOut(deviceUuid, seenBefore) {
          isWriting.resolve();
          await mayWrite.promise;
          return real.saveTimeOut(deviceUuid, seenBefore);
        },
      },
      database: world.database,
      clock,
      log: silentLogger,
      role: 'writer',
    });
    await state.born(device.deviceUuid, device.connectionId, clock.now());
    clock.advance(91_000);
    const swept = state.sweep(90_000);
    await isWriting.promise;
    const born = state.born(device.deviceUuid, device.connectionId, clock.now());
    // Long enough for a birth that does not wait its turn.
    await real.lastSeen(device.deviceUuid);
    await real.lastSeen(device.deviceUuid);
    mayWrite.resolve();
    await Promise.all([swept, born]);
    expect((await state.document(device.deviceUuid))?.device_status).toBe('ONLINE');
    expect((await real.state(device.deviceUuid))?.presence).toBe('ONLINE');
    await state.close();
  });

  it('is kept in the database, so that a restart neither forgets nor believes for ever', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice();
    await device.birth();
    await shows(device, { device_status: 'ONLINE' });
    const again = await createLiveState({
      store: createMemoryStateStore(),
      repository: createStateRepository(world.database),
      database: world.database,
      clock,
      log: silentLogger,
      role: 'writer',
    });
    expect((await again.document(device.deviceUuid))?.device_status).toBe('ONLINE');
    clock.advance(200_000);
    await again.sweep(90_000);
    expect((await again.document(device.deviceUuid))?.device_status).toBe('Timeout');
    await again.close();
  });
});
