import { sql } from 'kysely';
import { ensurePartitions } from '../../src/jobs/partitions.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';

/** Rows of a reading without a device behind them, for tests of storage alone. */
export interface BareReading {
  readonly deviceId?: number;
  readonly bootId?: number;
  readonly componentId?: number;
  readonly metricId?: number;
  readonly seq: number;
  readonly time: number;
  readonly value: number;
}

export async function storeReadings(database: CloudDatabase, readings: readonly BareReading[]) {
  await database.db
    .insertInto('telemetry_data')
    .values(
      readings.map((reading) => ({
        device_id: reading.deviceId ?? 1,
        boot_id: reading.bootId ?? 1,
        component_id: reading.componentId ?? 1,
        metric_id: reading.metricId ?? 1,
        flags: 0,
        seq: reading.seq,
        time: new Date(reading.time),
        value: reading.value,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Every roll-up as it must be, counted from the readings themselves. */
export async function countedAnew(database: CloudDatabase, unit: 'minute' | 'hour') {
  const { rows } = await sql<object>`select device_id, component_id, metric_id,
      date_trunc(${unit}, time, 'UTC') as bucket, count(*)::int as n, min(value), max(value), sum(value)
    from telemetry_data group by 1, 2, 3, 4 order by 1, 4, 2, 3`.execute(database.db);
  return rows;
}

export async function rolledUp(database: CloudDatabase, unit: 'minute' | 'hour') {
  const { rows } = await sql<object>`select device_id, component_id, metric_id, bucket, n, min, max, sum
    from ${sql.table(`telemetry_${unit}s`)} order by 1, 4, 2, 3`.execute(database.db);
  return rows;
}

/** Partitions also of days that the tests' clock says. */
export const partitionsAround = (database: CloudDatabase, now: number) => ensurePartitions(database.db, now);
