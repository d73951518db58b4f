import { afterEach, describe, expect, it } from 'vitest';
import { createTelemetryQueries } from '../../src/telemetry/query-service.ts';
import { type LiveWorld, liveWorld, range } from '../support/live-world.ts';
import { until } from '../support/quiet.ts';

let world: LiveWorld;
afterEach(async () => {
  await world?.close();
});

async function seeded() {
  world = await liveWorld();
  const device = await world.newDevice();
  const now = Date.now();
  const times = [1_000, 30 * 60_000, 5 * 3_600_000, 30 * 3_600_000, 100 * 3_600_000];
  await device.readings(
    times.map((ago, i) =>
      device.reading(i + 1, { value: i, measuredAt: now - ago, ...(i === 1 && { quality: 'suspect' }) }),
    ),
  );
  await device.readings([device.reading(6, { metric: 'humidity', value: 50, measuredAt: now - 2_000 })]);
  await device.readings(
    [{ seq: 7, componentId: device.components['cpu'], metric: 'load_peak', value: 9, measuredAt: now - 500 }],
    {},
    'cpu',
  );
  await until(() => device.stored().size === 7, 'everything');
  const queries = createTelemetryQueries({ database: world.database, clock: world.clock });
  const scope = { deviceId: device.deviceId, userId: device.user.id };
  return { device, queries, scope, now, times };
}

describe('stored readings', () => {
  it('come newest first, over all days, with unit, type and quality', async () => {
    const { queries, scope } = await seeded();
    const found = await queries.list(scope, { limit: 100 });
    expect(found.map(({ value }) => value)).toEqual([9, 0, 50, 1, 2, 3, 4]);
    expect(found[0]).toMatchObject({
      componentType: 'cpu',
      metric: 'load_peak',
      unit: '%',
      quality: 'good',
      timeEstimated: false,
    });
    expect(found[3]).toMatchObject({ componentType: 'dht22', unit: 'Cel', quality: 'suspect' });
  });

  it('are limited by number, time, type, component and metric', async () => {
    const { queries, scope, now, times, device } = await seeded();
    const values = async (query: object) =>
      (await queries.list(scope, { limit: 100, ...query })).map(({ value }) => value);
    expect(await values({ limit: 2 })).toEqual([9, 0]);
    expect(await values({ componentType: 'cpu' })).toEqual([9]);
    expect(await values({ componentId: device.components['dht22'], metric: 'humidity' })).toEqual([50]);
    expect(await values({ from: new Date(now - times[3]!), to: new Date(now - times[1]!) })).toEqual([2, 3]);
    expect(await values({ from: new Date(now + 1), to: new Date(now) })).toEqual([]);
    expect(await values({ metric: 'temperature', limit: 5 })).toEqual(range(0, 4));
  });

  it('of a former owner are seen by him and by nobody who came later', async () => {
    const { device, queries, scope } = await seeded();
    const next = await world.newUser();
    const { db } = world.database;
    await db.updateTable('assignments').set({ ended_at: new Date() }).execute();
    await db
      .insertInto('assignments')
      .values({ device_id: device.deviceId, number: 2, user_id: next.id })
      .execute();
    expect(await queries.list({ ...scope, userId: next.id }, { limit: 10 })).toEqual([]);
    expect(await queries.list(scope, { limit: 10 })).toHaveLength(7);
    expect(await queries.list({ ...scope, userId: undefined }, { limit: 10 })).toHaveLength(7);
  });
});
