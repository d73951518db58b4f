import { sql } from 'kysely';
import type { Queries } from '../ports/database.ts';
import { DAY_MS, defaultRetention, isoDay, type Retention } from '../telemetry/retention.ts';

const AHEAD_DAYS = 7;
/** What was admitted at the last moment may still be on its way into its partition. */
const SLACK_MS = 3_600_000;

/** Day partitions for everything that ingest may still take, and a week ahead. Safe to repeat. */
export async function ensurePartitions(
  queries: Queries,
  now: number,
  retention: Retention = defaultRetention,
): Promise<void> {
  await finishDetaching(queries, isoDay(now - retention.rawDays * DAY_MS));
  for (let day = -retention.rawDays; day <= AHEAD_DAYS; day += 1) {
    await sql`select ensure_telemetry_partition(${isoDay(now + day * DAY_MS)}::date)`.execute(queries);
    await sql`select ensure_minutes_partition(${isoDay(now + day * DAY_MS)}::date)`.execute(queries);
  }
}

/** One whose detaching was cut off takes nothing in; afterwards it is put back, where its day is kept for longer now. */
async function finishDetaching(queries: Queries, from: string): Promise<void> {
  const { rows } = await sql<{ parent: string; name: string }>`
    select i.inhparent::regclass::text as parent, c.relname as name
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhdetachpending and c.relname ~ '^telemetry_(data|minutes)_[0-9]{8}$'
      and right(c.relname, 8) >= ${from.replaceAll('-', '')}`.execute(queries);
  for (const { parent, name } of rows)
    await sql`alter table ${sql.table(parent)} detach partition ${sql.id(name)} finalize`.execute(queries);
}

/**
 * Drops the day partitions that lie wholly before what is kept. Each is detached concurrently, so that nobody who
 * writes or reads waits; one whose detaching was cut off is finished. Only one process does so at a time.
 * @returns their names
 */
export async function dropExpiredPartitions(
  queries: Queries,
  now: number,
  retention: Retention = defaultRetention,
): Promise<readonly string[]> {
  return await queries.connection().execute(async (connection) => {
    const { rows } = await sql<{ mine: boolean }>`
      select pg_try_advisory_lock(hashtext('ares-drop-partitions')) as mine`.execute(connection);
    if (rows[0]?.mine !== true) return [];
    try {
      return [
        ...(await dropBefore(connection, 'telemetry_data', now - retention.rawDays * DAY_MS - SLACK_MS)),
        ...(await dropBefore(connection, 'telemetry_minutes', now - retention.minuteDays * DAY_MS)),
      ];
    } finally {
      await sql`select pg_advisory_unlock(hashtext('ares-drop-partitions'))`.execute(connection);
    }
  });
}

async function dropBefore(
  queries: Queries,
  table: 'telemetry_data' | 'telemetry_minutes',
  before: number,
): Promise<readonly string[]> {
  const oldest = `${table}_${isoDay(before).replaceAll('-', '')}`;
  // By name, so that one that was detached and not dropped is found too.
  const { rows } = await sql<{ name: string; attached: boolean; pending: boolean }>`
    select c.relname as name, i.inhparent is not null as attached, coalesce(i.inhdetachpending, false) as pending
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid
    where c.relnamespace = (select relnamespace from pg_class where oid = ${table}::regclass)
      and c.relkind = 'r' and c.relname ~ ${`^${table}_[0-9]{8}$`} and c.relname < ${oldest}
      -- Raw readings stay until their roll-up is made.
      and not exists (select from telemetry_touched t where ${table} = 'telemetry_data'
        and t.minute >= (right(c.relname, 8) || ' 00:00:00+00')::timestamptz
        and t.minute < (right(c.relname, 8) || ' 00:00:00+00')::timestamptz + interval '24 hours')
    order by c.relname`.execute(queries);
  for (const { name, attached, pending } of rows) {
    const partition = sql.id(name);
    const parent = sql.id(table);
    if (pending) await sql`alter table ${parent} detach partition ${partition} finalize`.execute(queries);
    else if (attached)
      await sql`alter table ${parent} detach partition ${partition} concurrently`.execute(queries);
    await sql`drop table ${partition}`.execute(queries);
  }
  return rows.map(({ name }) => name);
}

/** Removes roll-ups by hours where they are not kept for ever. */
export async function dropExpiredHours(queries: Queries, now: number, retention: Retention): Promise<void> {
  if (retention.hourDays === undefined) return;
  const before = new Date(now - retention.hourDays * DAY_MS);
  await queries.deleteFrom('telemetry_hours').where('bucket', '<', before).execute();
}
