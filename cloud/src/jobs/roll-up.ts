import { sql } from 'kysely';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import { isoDay } from '../telemetry/retention.ts';

const HOUR_MS = 3_600_000;
/** Marks taken at once: bounds the work that one transaction holds. */
const MARKS = 50_000;

/**
 * Makes the roll-ups of every minute again that readings arrived in since, and the hours from them. A bucket is
 * always counted anew from what is stored, so doing it twice changes nothing.
 *
 * Only one process works at a time, and each round sees at least the readings whose marks it takes away: a reading
 * and its mark commit together. Buckets are written, never removed: raw readings may be gone already.
 * @returns how many (device, minute) were rolled up
 */
export async function rollUp({ db }: Pick<CloudDatabase, 'db'>): Promise<number> {
  let done = 0;
  for (const hour of await touchedHours(db)) {
    await sql`select ensure_minutes_partition(${isoDay(hour)}::date)`.execute(db);
    for (;;) {
      const count = await db.transaction().execute((transaction) => rollUpHour(transaction, hour));
      done += count ?? 0;
      // Another process is at it.
      if (count === undefined) return done;
      if (count === 0) break;
    }
  }
  return done;
}

async function touchedHours(queries: Queries): Promise<number[]> {
  const { rows } = await sql<{ hour: Date }>`
    select distinct date_trunc('hour', minute, 'UTC') as hour from telemetry_touched order by 1`.execute(
    queries,
  );
  return rows.map(({ hour }) => hour.getTime());
}

/** @returns how many minutes of devices it rolled up; `undefined` when another process rolls up */
async function rollUpHour(queries: Queries, hour: number): Promise<number | undefined> {
  const from = new Date(hour);
  const to = new Date(hour + HOUR_MS);
  const lock = await sql<{ mine: boolean }>`
    select pg_try_advisory_xact_lock(hashtext('ares-roll-up')) as mine`.execute(queries);
  if (lock.rows[0]?.mine !== true) return undefined;
  await sql`create temp table touched_now (device_id integer not null, minute timestamptz not null)
    on commit drop`.execute(queries);
  await sql`with taken as (
      delete from telemetry_touched where ctid = any (array(
        select ctid from telemetry_touched where minute >= ${from} and minute < ${to} limit ${MARKS}))
      returning device_id, minute)
    insert into touched_now select distinct device_id, minute from taken`.execute(queries);
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from touched_now`.execute(queries);
  const count = rows[0]?.n ?? 0;
  if (count === 0) return 0;
  await sql`analyze touched_now`.execute(queries);
  await sql`insert into telemetry_minutes (device_id, component_id, metric_id, bucket, n, min, max, sum)
    select t.device_id, t.component_id, t.metric_id, u.minute,
      count(*), min(t.value), max(t.value), sum(t.value)
    from touched_now u join telemetry_data t
      on t.device_id = u.device_id and t.time >= u.minute and t.time < u.minute + interval '1 minute'
    where t.time >= ${from} and t.time < ${to}
    group by t.device_id, t.component_id, t.metric_id, u.minute
    on conflict (device_id, bucket, component_id, metric_id) do update
      set n = excluded.n, min = excluded.min, max = excluded.max, sum = excluded.sum`.execute(queries);
  await sql`insert into telemetry_hours (device_id, component_id, metric_id, bucket, n, min, max, sum)
    select device_id, component_id, metric_id, ${from}, sum(n), min(min), max(max), sum(sum)
    from telemetry_minutes
    where bucket >= ${from} and bucket < ${to} and device_id in (select device_id from touched_now)
    group by device_id, component_id, metric_id
    on conflict (device_id, bucket, component_id, metric_id) do update
      set n = excluded.n, min = excluded.min, max = excluded.max, sum = excluded.sum`.execute(queries);
  return count;
}
