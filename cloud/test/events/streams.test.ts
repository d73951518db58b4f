import { afterEach, describe, expect, it } from 'vitest';
import { accountRepository } from '../../src/accounts/repository.ts';
import { createAccessRepository } from '../../src/events/access-repository.ts';
import { createEventStreams, type EventStreams } from '../../src/events/streams.ts';
import { type LiveWorld, liveWorld } from '../support/live-world.ts';
import { silentLogger, until } from '../support/quiet.ts';

let world: LiveWorld;
let streams: EventStreams;
afterEach(async () => {
  await streams?.close();
  await world?.close();
});

interface Frame {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Reads a stream as fast as it can. */
function read(stream: AsyncIterable<string>) {
  const frames: Frame[] = [];
  const at: number[] = [];
  let ended = false;
  const iterator = stream[Symbol.asyncIterator]();
  const pull = async () => {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) break;
      const [, event, data] = /^event: (\w+)\ndata: (.*)\n\n$/.exec(value)!;
      frames.push({ event: event!, data: JSON.parse(data!) as Record<string, unknown> });
      at.push(performance.now());
    }
    ended = true;
  };
  void pull();
  return { frames, at, ended: () => ended, stop: () => iterator.return?.() };
}

const open = async () => {
  world = await liveWorld();
  streams = createEventStreams({
    state: world.state,
    access: createAccessRepository(world.database),
    database: world.database,
    log: silentLogger,
  });
};
const endAssignment = async (deviceUuid: string, deviceId: number) => {
  await world.database.db
    .updateTable('assignments')
    .set({ ended_at: new Date() })
    .where('device_id', '=', deviceId)
    .execute();
  await world.database.notify(world.database.db, 'device', { deviceUuid });
};

describe('a stream of live state', () => {
  it('begins with the whole document and follows changes, at most one a second', async () => {
    await open();
    const device = await world.newDevice();
    await device.birth();
    const stream = read(await streams.device(device.deviceUuid, device.user.id, false));
    await until(() => stream.frames.length >= 1, 'the first document');
    for (let seq = 1; seq <= 60; seq++) {
      await device.readings([device.reading(seq, { value: seq })]);
      await new Promise((next) => setTimeout(next, 40));
    }
    await until(() => stream.frames.at(-1)?.data['dht22_temp'] === 60, 'the last value');
    expect(
      stream.frames.every(({ event, data }) => event === 'state' && data['deviceUuid'] === device.deviceUuid),
    ).toBe(true);
    expect(stream.frames.length).toBeLessThanOrEqual(7);
    const gaps = stream.at.slice(2).map((time, i) => time - stream.at[i + 1]!);
    expect(Math.min(...gaps)).toBeGreaterThan(800);
  });

  it('of all devices carries those of its user only, and one that is claimed later', async () => {
    await open();
    const [mine, other] = [await world.newDevice(), await world.newDevice()];
    const stream = read(await streams.user(mine.user.id));
    const later = await world.newDevice({ user: mine.user });
    await world.database.notify(world.database.db, 'device', { deviceUuid: later.deviceUuid });
    for (const device of [mine, other, later]) await device.readings([device.reading(1)]);
    const seen = () => new Set(stream.frames.map(({ data }) => data['deviceUuid']));
    await until(() => seen().size === 2, 'both devices');
    await until(() => other.stored().has(1), 'the other’s reading');
    expect(seen()).toEqual(new Set([mine.deviceUuid, later.deviceUuid]));
  });

  it('ends for one device when it is given away, and goes on for all others', async () => {
    await open();
    const device = await world.newDevice();
    const second = await world.newDevice({ user: device.user });
    const one = read(await streams.device(device.deviceUuid, device.user.id, false));
    const all = read(await streams.user(device.user.id));
    const adminId = (await world.newUser()).id;
    await accountRepository.addRoles(world.database.db, adminId, ['general_admin']);
    const admin = read(await streams.device(device.deviceUuid, adminId, true));
    await until(() => all.frames.length >= 2 && admin.frames.length >= 1, 'the first documents');
    await endAssignment(device.deviceUuid, device.deviceId);
    // At once by the notice, not only by the look every four seconds.
    await until(() => one.ended(), 'the end of the stream', 2_000);
    await until(() => all.frames.some(({ event }) => event === 'removed'), 'the notice');
    expect(one.frames.at(-1)).toEqual({ event: 'removed', data: { deviceUuid: device.deviceUuid } });
    expect([all.ended(), admin.ended()]).toEqual([false, false]);
    const before = all.frames.length;
    await second.readings([second.reading(1)]);
    await until(() => all.frames.length > before, 'the other device');
    expect(all.frames.slice(before).every(({ data }) => data['deviceUuid'] === second.deviceUuid)).toBe(true);
  });

  it('ends within five seconds for an administrator who is none any more', async () => {
    await open();
    const device = await world.newDevice();
    const [one, other] = [await world.newUser(), await world.newUser()];
    for (const { id } of [one, other])
      await accountRepository.addRoles(world.database.db, id, ['general_admin']);
    const former = read(await streams.device(device.deviceUuid, one.id, true));
    const still = read(await streams.device(device.deviceUuid, other.id, true));
    await until(() => former.frames.length > 0 && still.frames.length > 0, 'the first documents');
    await accountRepository.removeRole(world.database.db, one.id, 'general_admin');
    await until(() => former.ended(), 'the end of the stream', 5_000);
    expect(still.ended()).toBe(false);
  });

  it('ends by itself within five seconds when the notice was lost', async () => {
    await open();
    const device = await world.newDevice();
    const stream = read(await streams.device(device.deviceUuid, device.user.id, false));
    await until(() => stream.frames.length >= 1, 'the first document');
    await world.database.db.updateTable('assignments').set({ ended_at: new Date() }).execute();
    await until(() => stream.ended(), 'the end', 5_500);
  });

  it('keeps only the newest document for a reader that does not read, and is forgotten when it leaves', async () => {
    await open();
    const device = await world.newDevice();
    const stream = await streams.user(device.user.id);
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    for (let seq = 1; seq <= 3; seq++) {
      await device.readings([device.reading(seq, { value: seq })]);
      await until(() => device.stored().has(seq), 'the reading');
      await new Promise((next) => setTimeout(next, 1_100));
    }
    const { value } = await iterator.next();
    expect(value).toContain('"dht22_temp":3');
    await iterator.return?.();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });
});

it('keeps nothing of a stream that could not be opened', async () => {
  world = await liveWorld();
  const device = await world.newDevice();
  const looks: string[] = [];
  const listeners = new Set<(deviceUuid: string) => void>();
  streams = createEventStreams({
    state: {
      async document(deviceUuid) {
        looks.push(deviceUuid);
        throw new Error('the database is away');
      },
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    access: createAccessRepository(world.database),
    database: world.database,
    log: silentLogger,
  });
  await expect(streams.device(device.deviceUuid, device.user.id, false)).rejects.toThrow('away');
  await expect(streams.user(device.user.id)).rejects.toThrow('away');
  for (const changed of listeners) changed(device.deviceUuid);
  expect(looks).toHaveLength(2);
});
