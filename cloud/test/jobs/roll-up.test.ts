import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPartitionStorage } from '../../src/adapters/partition-storage.ts';
import { rollUp } from '../../src/jobs/roll-up.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { useCloudDatabase } from '../support/database.ts';
import { until } from '../support/quiet.ts';
import { countedAnew, rolledUp, storeReadings } from '../support/readings.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Yesterday at noon, UTC. */
const noon = Math.floor(Date.now() / DAY) * DAY - DAY / 2;

let database: CloudDatabase;
beforeEach(async () => {
  database = await useCloudDatabase();
}, 60_000);
afterEach(() => database?.close());

const marks = async () =>
  (await sql<{ n: number }>`select count(*)::int as n from telemetry_touched`.execute(database.db)).rows[0]!
    .n;
const expectExact = async () => {
  for (const unit of ['minute', 'hour'] as const)
    expect(await rolledUp(database, unit)).toEqual(await countedAnew(database, unit));
};

describe('roll-ups by minutes and hours', () => {
  it('are what the readings say, for each component and metric', async () => {
    const readings = Array.from({ length: 500 }, (_, i) => ({
      seq: i + 1,
      deviceId: 1 + (i % 2),
      componentId: 1 + (i % 3),
      metricId: 1 + (i % 2),
      time: noon + i * 17_000,
      value: (i * 37) % 101,
    }));
    await storeReadings(database, readings);
    await rollUp(database);
    await expectExact();
    expect(await marks()).toBe(0);
    const { rows } = await sql<object>`select min, max, n from telemetry_hours
      where device_id = 1 and component_id = 1 and bucket = ${new Date(noon)}`.execute(database.db);
    const mine = readings.filter(
      (one) => one.deviceId === 1 && one.componentId === 1 && one.time < noon + HOUR,
    );
    const values = mine.map(({ value }) => value);
    expect(rows).toEqual([{ min: Math.min(...values), max: Math.max(...values), n: values.length }]);
  });

  it('are made again where late readings arrive, and nowhere else', async () => {
    await storeReadings(database, [
      { seq: 1, time: noon, value: 1 },
      { seq: 2, time: noon + 5 * HOUR, value: 2 },
    ]);
    expect(await rollUp(database)).toBe(2);
    expect(await rollUp(database)).toBe(0);
    await storeReadings(database, [
      { seq: 3, time: noon + 30_000, value: 9 },
      { seq: 4, time: noon + 40 * MINUTE, value: -5 },
      { seq: 5, time: noon - 4 * DAY, value: 7 },
    ]);
    expect(await marks()).toBe(3);
    expect(await rollUp(database)).toBe(3);
    await expectExact();
  });

  it('stay when the raw readings are gone, also when a mark was left behind', async () => {
    await storeReadings(database, [{ seq: 1, time: noon, value: 1 }]);
    await rollUp(database);
    const before = [await rolledUp(database, 'minute'), await rolledUp(database, 'hour')];
    await sql`delete from telemetry_data`.execute(database.db);
    await sql`insert into telemetry_touched values (1, ${new Date(noon)})`.execute(database.db);
    await rollUp(database);
    expect([await rolledUp(database, 'minute'), await rolledUp(database, 'hour')]).toEqual(before);
  });

  it('are exact however many processes roll up while readings flow in, late ones too', async () => {
    let seq = 0;
    let over = false;
    const write = async (deviceId: number) => {
      for (let round = 0; round < 40; round += 1) {
        const batch = Array.from({ length: 20 }, (_, i) => {
          seq += 1;
          return { seq, deviceId, time: noon + ((seq * 7_919) % (3 * HOUR)), value: i };
        });
        await storeReadings(database, batch);
      }
    };
    const roll = async () => {
      while (!over) await rollUp(database);
    };
    const rolling = [roll(), roll(), roll()];
    await Promise.all([write(1), write(2), write(3)]);
    over = true;
    await Promise.all(rolling);
    await rollUp(database);
    expect(await marks()).toBe(0);
    await expectExact();
  });

  it('are never set back by a process that began before another one and ends after it', async () => {
    let seq = 0;
    const everyDevice = () =>
      storeReadings(
        database,
        Array.from({ length: 20 }, (_, i) => {
          seq += 1;
          return { seq, deviceId: i + 1, time: noon + 1, value: seq };
        }),
      );
    await everyDevice();
    await rollUp(database);
    for (const held of [1, 7, 14, 20]) {
      await everyDevice();
      let slow: Promise<number> | undefined;
      await database.db.transaction().execute(async (holding) => {
        // The first process gets as far as this row, with what it has counted by then.
        await sql`select from telemetry_minutes where device_id = ${held} for update`.execute(holding);
        slow = rollUp(database);
        await until(async () => {
          const { rows } = await sql`select from pg_stat_activity where wait_event_type = 'Lock'
            and query like 'insert into telemetry_minutes%'
            and datname = current_database()`.execute(database.db);
          return rows.length > 0;
        }, 'the first process to wait');
        await everyDevice();
        await Promise.race([rollUp(database), new Promise((next) => setTimeout(next, 300))]);
      });
      await slow;
    }
    await rollUp(database);
    await expectExact();
  });

  it('see a reading whose transaction was open while its minute was rolled up', async () => {
    await storeReadings(database, [{ seq: 1, time: noon, value: 1 }]);
    await database.db.transaction().execute(async (transaction) => {
      await transaction
        .insertInto('telemetry_data')
        .values({
          device_id: 1,
          boot_id: 1,
          component_id: 1,
          metric_id: 1,
          flags: 0,
          seq: 2,
          time: new Date(noon + 1),
          value: 5,
        })
        .execute();
      await rollUp(database);
    });
    await rollUp(database);
    await expectExact();
  });
});

describe('what is kept', () => {
  const storage = () =>
    createPartitionStorage({ database, retention: { rawDays: 3, minuteDays: 5, hourDays: 30 } });

  it('is dropped by days: readings first, minutes later, hours last; and never before its roll-up', async () => {
    const now = noon;
    await storage().ensure(now);
    await storeReadings(database, [
      { seq: 1, time: now, value: 1 },
      { seq: 2, time: now - 3 * DAY, value: 2 },
    ]);
    await storage().rollUp();
    const later = now + 2 * DAY;
    await storeReadings(database, [{ seq: 3, time: now - 3 * DAY, value: 3 }]);
    // Not rolled up yet: it stays.
    await storage().dropExpired(later);
    expect(await countedAnew(database, 'minute')).toHaveLength(2);
    await storage().rollUp();
    await storage().dropExpired(later);
    expect(await countedAnew(database, 'minute')).toHaveLength(1);
    expect(await rolledUp(database, 'minute')).toHaveLength(2);
    await storage().dropExpired(now + 4 * DAY);
    expect(await rolledUp(database, 'minute')).toHaveLength(1);
    expect(await rolledUp(database, 'hour')).toHaveLength(2);
    await storage().dropExpired(now + 28 * DAY);
    expect(await rolledUp(database, 'hour')).toHaveLength(1);
  });

  it('is dropped once by several processes at once, and a cut-off detaching is finished', async () => {
    const old = '20200101';
    await sql`select ensure_telemetry_partition('2020-01-01'::date)`.execute(database.db);
    await sql`select ensure_telemetry_partition('2020-01-02'::date)`.execute(database.db);
    // As a process leaves it that dies between detaching and dropping.
    await sql.raw(`alter table telemetry_data detach partition telemetry_data_${old}`).execute(database.db);
    const now = Date.now();
    const dropped = (
      await Promise.all([storage().dropExpired(now), storage().dropExpired(now), storage().dropExpired(now)])
    ).flat();
    expect(dropped.filter((name) => name.startsWith('telemetry_data_2020'))).toEqual([
      `telemetry_data_${old}`,
      'telemetry_data_20200102',
    ]);
  });
});
