import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryStateStore } from '../../src/adapters/memory-state-store.ts';
import { createLiveState, type LiveState } from '../../src/state/live-state.ts';
import { createStateRepository } from '../../src/state/repository.ts';
import { type LiveDevice, type LiveWorld, liveWorld } from '../support/live-world.ts';
import { type FakeClock, fakeClock, silentLogger, until } from '../support/quiet.ts';

const SILENT = 1e9;
let world: LiveWorld;
let clock: FakeClock;
const others: LiveState[] = [];
afterEach(async () => {
  for (const other of others.splice(0)) await other.close();
  await world?.close();
});

async function started() {
  clock = fakeClock();
  world = await liveWorld({ clock });
  const device = await world.newDevice({ types: ['dht22', 'cpu'] });
  await device.birth();
  return device;
}
const statuses = async (device: LiveDevice, state: LiveState = world.state) =>
  (await state.document(device.deviceUuid))!.components.map(({ status }) => status);
/** Devices that were told of while `work` ran. */
async function toldBy(state: LiveState, work: () => Promise<void>): Promise<number> {
  let told = 0;
  const stop = state.onChange(() => {
    told += 1;
  });
  await work();
  stop();
  return told;
}
const sweep = () => world.state.sweep(SILENT);
let seq = 0;
/** A reading of now, which has arrived when this resolves. */
async function speak(device: LiveDevice, type: 'dht22' | 'cpu') {
  const metric = type === 'cpu' ? 'load_peak' : 'temperature';
  seq += 1;
  const reading = { seq, componentId: device.components[type], metric, value: 20, measuredAt: clock.now() };
  await device.readings([reading], {}, type);
  const key = type === 'cpu' ? 'cpu' : 'dht22';
  await until(async () => {
    const document = await world.state.document(device.deviceUuid);
    const component = document?.components.find(({ componentType }) => componentType === key);
    return component?.metrics[metric]?.measuredAt === new Date(reading.measuredAt).toISOString();
  }, 'the reading to be shown');
}

describe('a component that should report and does not', () => {
  it('is told to be STALE, then ERROR, and OK again by its next reading, while its neighbour speaks', async () => {
    const device = await started();
    await speak(device, 'dht22');
    await speak(device, 'cpu');
    await sweep();
    expect(await statuses(device)).toEqual(['OK', 'OK']);
    expect(await toldBy(world.state, sweep)).toBe(0);

    const pass = async (seconds: number) => {
      for (let passed = 0; passed < seconds; passed += 20) {
        clock.advance(20_000);
        await speak(device, 'cpu');
      }
    };
    await pass(80);
    expect(await toldBy(world.state, sweep)).toBe(1);
    expect(await statuses(device)).toEqual(['STALE', 'OK']);
    expect(await toldBy(world.state, sweep)).toBe(0);
    await pass(260);
    expect(await toldBy(world.state, sweep)).toBe(1);
    expect(await statuses(device)).toEqual(['ERROR', 'OK']);

    expect(await toldBy(world.state, () => speak(device, 'dht22'))).toBeGreaterThan(0);
    expect(await statuses(device)).toEqual(['OK', 'OK']);
    // Silent again: told in its time, although nobody looked at it in between.
    await pass(80);
    await sweep();
    expect(await statuses(device)).toEqual(['STALE', 'OK']);
    await pass(20);
    expect(await toldBy(world.state, sweep)).toBe(0);
  });

  it('is waited for as long as its device reads it, by what it told when it came', async () => {
    clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice({ types: ['dht22'] });
    const tells = { status: 'OK', sampleIntervalMs: 600_000 } as const;
    await device.birth(undefined, [{ componentId: device.components['dht22']!, ...tells }]);
    await speak(device, 'dht22');
    clock.advance(1_790_000);
    expect(await statuses(device)).toEqual(['OK']);
    await world.store.drop(device.deviceUuid);
    expect(await statuses(device)).toEqual(['OK']);
    expect(await toldBy(world.state, sweep)).toBe(0);
    clock.advance(20_000);
    expect(await statuses(device)).toEqual(['STALE']);
  });

  it('is told to be STALE anew when it spoke only once in between, also when it is the only one', async () => {
    clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice({ types: ['dht22'] });
    await device.birth();
    await speak(device, 'dht22');
    await sweep();
    clock.advance(62_000);
    expect(await toldBy(world.state, sweep)).toBe(1);
    clock.advance(5_000);
    await speak(device, 'dht22');
    clock.advance(56_000);
    await sweep();
    expect(await statuses(device)).toEqual(['OK']);
    clock.advance(6_000);
    expect(await toldBy(world.state, sweep)).toBe(1);
    expect(await statuses(device)).toEqual(['STALE']);
  });

  it('is told once by several processes, and by none whose own copy is old', async () => {
    const device = await started();
    await speak(device, 'dht22');
    await speak(device, 'cpu');
    const other = await createLiveState({
      store: createMemoryStateStore(),
      repository: createStateRepository(world.database),
      database: world.database,
      clock,
      log: silentLogger,
      role: 'writer',
    });
    others.push(other);
    expect(await statuses(device, other)).toEqual(['OK', 'OK']);
    clock.advance(50_000);
    // Only one process hears of these.
    await speak(device, 'dht22');
    await speak(device, 'cpu');
    clock.advance(30_000);
    expect(await toldBy(other, () => other.sweep(SILENT))).toBe(0);
    clock.advance(40_000);
    let told = 0;
    for (const state of [world.state, other])
      state.onChange(() => {
        told += 1;
      });
    await Promise.all([world.state.sweep(SILENT), other.sweep(SILENT)]);
    expect(told).toBe(1);
    expect(await statuses(device)).toEqual(['STALE', 'STALE']);
  });

  it('is found by an index, whatever else there is, and taken over when a process dies', async () => {
    const device = await started();
    await speak(device, 'dht22');
    const due = async () =>
      await world.database.db
        .selectFrom('devices')
        .where('device_uuid', '=', device.deviceUuid)
        .select('health_due_at')
        .executeTakeFirstOrThrow();
    await sweep();
    const { health_due_at } = await due();
    expect(health_due_at!.getTime()).toBeGreaterThan(clock.now());
    expect(health_due_at!.getTime()).toBeLessThanOrEqual(clock.now() + 61_000);
    // A device that is away is not looked at until it is heard of.
    await device.will();
    await until(async () => (await statuses(device)).join() === 'STALE,STALE', 'the will');
    clock.advance(61_000);
    await sweep();
    expect((await due()).health_due_at).toBeNull();
    await device.birth();
    await until(async () => (await due()).health_due_at !== null, 'the next look');
  });
});
