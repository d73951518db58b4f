import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { rollUp } from '../../src/jobs/roll-up.ts';
import { createTelemetryQueries, type FoundPage } from '../../src/telemetry/query-service.ts';
import { defaultRetention } from '../../src/telemetry/retention.ts';
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
  const queries = createTelemetryQueries({
    database: world.database,
    clock: world.clock,
    retention: defaultRetention,
    batch: 3,
  });
  const scope = { deviceId: device.deviceId, userId: device.user.id };
  return { device, queries, scope, now, times };
}

const rawItems = (page: FoundPage) => (page.resolution === 'raw' ? page.items : []);

describe('stored readings', () => {
  it('come newest first, over all days, with unit, type and quality', async () => {
    const { queries, scope } = await seeded();
    const found = rawItems(await queries.page(scope, { limit: 100 }));
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
      rawItems(await queries.page(scope, { limit: 100, ...query })).map(({ value }) => value);
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
    expect(rawItems(await queries.page({ ...scope, userId: next.id }, { limit: 10 }))).toEqual([]);
    expect(rawItems(await queries.page(scope, { limit: 10 }))).toHaveLength(7);
    expect(rawItems(await queries.page({ ...scope, userId: undefined }, { limit: 10 }))).toHaveLength(7);
  });

  it('are walked by pages and streamed without a gap or a double, in both directions', async () => {
    const { device, queries, scope, now } = await seeded();
    // Many of one moment: the time alone does not order them.
    const same = range(8, 30).map((seq) => device.reading(seq, { value: seq, measuredAt: now - 60_000 }));
    await device.readings(same);
    await until(() => device.stored().size === 30, 'all of one moment');
    for (const order of ['desc', 'asc'] as const) {
      const whole = rawItems(await queries.page(scope, { limit: 1_000, order }));
      expect(whole).toHaveLength(30);
      const paged: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page: FoundPage = await queries.page(scope, { limit: 4, order, cursor });
        paged.push(...page.items);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      expect(paged).toEqual(whole);
      const streamed: unknown[] = [];
      for await (const batch of queries.stream(scope, { order }).batches) {
        expect(batch.length).toBeLessThanOrEqual(3);
        streamed.push(...batch);
      }
      expect(streamed).toEqual(whole);
    }
  });

  it('are no longer given to somebody whose share ended while they are streamed', async () => {
    const { queries, scope } = await seeded();
    const viewer = await world.newUser();
    const { db } = world.database;
    const { id } = await db.selectFrom('assignments').select('id').executeTakeFirstOrThrow();
    await db.insertInto('assignment_viewers').values({ assignment_id: id, user_id: viewer.id }).execute();
    const seen: unknown[] = [];
    for await (const batch of queries.stream({ ...scope, userId: viewer.id }, {}).batches) {
      seen.push(...batch);
      await db.deleteFrom('assignment_viewers').execute();
    }
    // The batch that was under way, and nothing after it.
    expect(seen.length).toBeLessThanOrEqual(3);
  });
});

describe('readings that are rolled up', () => {
  it('come by minutes, hours and days with minimum, mean, maximum and number', async () => {
    const { device, queries, scope, now } = await seeded();
    // A day on which nothing else was measured.
    const day = Math.floor((now - 60 * 3_600_000) / 86_400_000) * 86_400_000;
    const measured = [1, 2, 6].map((value, i) =>
      device.reading(50 + i, { value, measuredAt: day + i * 60_000 + (i === 2 ? 5 * 3_600_000 : 0) }),
    );
    await device.readings(measured);
    await until(() => device.stored().size === 10, 'the old ones');
    await rollUp(world.database);
    const of = async (resolution: 'minute' | 'hour' | 'day') => {
      const range = { from: new Date(day), to: new Date(day + 86_400_000) };
      const page = await queries.page(scope, { resolution, limit: 100, ...range });
      if (page.resolution === 'raw') throw new Error('raw');
      return page.items;
    };
    const series = {
      componentId: device.components['dht22'],
      componentType: 'dht22',
      metric: 'temperature',
      unit: 'Cel',
    };
    const at = (ms: number) => new Date(day + ms).toISOString();
    expect(await of('day')).toEqual([{ ...series, start: at(0), min: 1, avg: 3, max: 6, count: 3 }]);
    expect(await of('hour')).toEqual([
      { ...series, start: at(5 * 3_600_000), min: 6, avg: 6, max: 6, count: 1 },
      { ...series, start: at(0), min: 1, avg: 1.5, max: 2, count: 2 },
    ]);
    // As the sums of TimescaleDB's continuous aggregates are.
    await sql`alter table telemetry_hours alter column n type numeric`.execute(world.database.db);
    expect((await of('hour')).map(({ count }) => count)).toEqual([1, 2]);
    expect((await of('minute')).map(({ start, avg }) => [start, avg])).toEqual([
      [at(5 * 3_600_000 + 120_000), 6],
      [at(60_000), 2],
      [at(0), 1],
    ]);
  });

  it('are taken by themselves where the range begins before single readings are kept', async () => {
    const { queries, scope, now } = await seeded();
    const resolutionFrom = async (ago: number) =>
      (await queries.page(scope, { limit: 1, from: new Date(now - ago * 86_400_000) })).resolution;
    expect(await resolutionFrom(6)).toBe('raw');
    expect(await resolutionFrom(8)).toBe('minute');
    expect(await resolutionFrom(89)).toBe('minute');
    expect(await resolutionFrom(91)).toBe('hour');
  });

  it('are paged by days also over years', async () => {
    const { device, queries, scope } = await seeded();
    const component_id = device.components['dht22']!;
    const start = Date.UTC(2024, 0, 1);
    await sql`insert into telemetry_hours
      select ${device.deviceId}, ${component_id}, m.id, h, 2, 1, 3, 4 from
        generate_series(${new Date(start)}::timestamptz, ${new Date(start)}::timestamptz + interval '2 years', '1 hour') h,
        metrics m join attached_components c on c.id = ${component_id} and m.component_type_id = c.component_type_id
      where m.metric = 'temperature'`.execute(world.database.db);
    const days: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await queries.page(scope, {
        resolution: 'day',
        order: 'asc',
        limit: 100,
        from: new Date(start),
        to: new Date(start + 700 * 86_400_000),
        cursor,
      });
      if (page.resolution !== 'day') throw new Error(page.resolution);
      for (const { start: day, min, avg, max, count } of page.items) {
        days.push(day);
        expect([min, avg, max, count]).toEqual([1, 2, 3, 48]);
      }
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(days).toHaveLength(700);
    expect(days).toEqual([...new Set(days)].sort());
  });
});
