import { sql } from 'kysely';
import type { Queries } from '../ports/database.ts';
import { DAY_MS } from './retention.ts';

export type Resolution = 'raw' | 'minute' | 'hour' | 'day';

/** A row of a series: a reading, or the roll-up of those of a bucket. */
export interface SeriesRow {
  readonly time: Date;
  readonly componentId: number;
  readonly metricId: number;
  /** Of a reading. */
  readonly value?: number;
  readonly flags?: number;
  /** Of a roll-up. */
  readonly n?: number;
  readonly min?: number;
  readonly max?: number;
  readonly sum?: number;
  /** What orders rows of one time: (boot, seq) of a reading, (component, metric) of a roll-up. */
  readonly tie: readonly [number, number];
}

/** Where a series goes on: after the row at this place. */
export interface SeriesPosition {
  /** Epoch ms. */
  readonly time: number;
  readonly tie: readonly [number, number];
}

export interface SeriesRequest {
  readonly deviceId: number;
  readonly componentIds: readonly number[];
  readonly metricIds: readonly number[];
  readonly order: 'asc' | 'desc';
}

/** Rows of a window in order, after the position. `from` inclusive, `to` exclusive, epoch ms. */
export async function readSeries(
  queries: Queries,
  resolution: Resolution,
  request: SeriesRequest,
  window: { readonly from: number; readonly to: number; readonly limit: number },
  after: SeriesPosition | undefined,
): Promise<SeriesRow[]> {
  const order = sql.raw(request.order);
  const beyond = sql.raw(request.order === 'asc' ? '>' : '<');
  const past = (time: string, a: string, b: string) =>
    after === undefined
      ? sql`true`
      : sql`(${sql.ref(time)}, ${sql.ref(a)}, ${sql.ref(b)}) ${beyond}
          (${new Date(after.time)}, ${after.tie[0]}::bigint, ${after.tie[1]}::bigint)`;
  const mine = sql`device_id = ${request.deviceId}
    and component_id = any (${request.componentIds}::int[]) and metric_id = any (${request.metricIds}::int[])`;
  const from = new Date(window.from);
  const to = new Date(window.to);
  if (resolution === 'raw') {
    const { rows } = await sql<RawRow>`select time, component_id, metric_id, value, flags, boot_id, seq
      from telemetry_data where ${mine} and time >= ${from} and time < ${to} and ${past('time', 'boot_id', 'seq')}
      order by time ${order}, boot_id ${order}, seq ${order} limit ${window.limit}`.execute(queries);
    return rows.map(toReading);
  }
  const buckets =
    resolution === 'day'
      ? // Days are counted from whole hours, so a window is made of whole days.
        sql`(select component_id, metric_id, date_trunc('day', bucket, 'UTC') as bucket,
          sum(n)::bigint as n, min(min) as min, max(max) as max, sum(sum) as sum from telemetry_hours
          where ${mine} and bucket >= ${floorDay(from)} and bucket < ${ceilDay(to)}
          group by 1, 2, 3) as days`
      : sql`${sql.table(resolution === 'minute' ? 'telemetry_minutes' : 'telemetry_hours')}`;
  const { rows } =
    await sql<BucketRow>`select bucket, component_id, metric_id, n, min, max, sum from ${buckets}
    where ${resolution === 'day' ? sql`true` : mine} and bucket >= ${from} and bucket < ${to}
      and ${past('bucket', 'component_id', 'metric_id')}
    order by bucket ${order}, component_id ${order}, metric_id ${order} limit ${window.limit}`.execute(
      queries,
    );
  return rows.map(toBucket);
}

/** Begin of the first hour that is rolled up of a device, epoch ms. */
export async function firstBucket(queries: Queries, deviceId: number): Promise<number | undefined> {
  const row = await queries
    .selectFrom('telemetry_hours')
    .where('device_id', '=', deviceId)
    .select(({ fn }) => fn.min('bucket').as('first'))
    .executeTakeFirst();
  return (row?.first as Date | null | undefined)?.getTime();
}

interface RawRow {
  time: Date;
  component_id: number;
  metric_id: number;
  value: number;
  flags: number;
  boot_id: number;
  seq: number;
}

interface BucketRow {
  bucket: Date;
  component_id: number;
  metric_id: number;
  /** A number, or where it is a sum of sums its text. */
  n: number | string;
  min: number;
  max: number;
  sum: number;
}

const toReading = (row: RawRow): SeriesRow => ({
  time: row.time,
  componentId: row.component_id,
  metricId: row.metric_id,
  value: row.value,
  flags: row.flags,
  tie: [row.boot_id, row.seq],
});

const toBucket = (row: BucketRow): SeriesRow => ({
  time: row.bucket,
  componentId: row.component_id,
  metricId: row.metric_id,
  n: Number(row.n),
  min: row.min,
  max: row.max,
  sum: row.sum,
  tie: [row.component_id, row.metric_id],
});

const floorDay = (time: Date) => new Date(Math.floor(time.getTime() / DAY_MS) * DAY_MS);
const ceilDay = (time: Date) => new Date(Math.ceil(time.getTime() / DAY_MS) * DAY_MS);
