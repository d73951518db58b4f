import { sql } from 'kysely';
import type { Queries } from '../ports/database.ts';

const DAY_MS = 86_400_000;
/** Raw readings stay for a week (DESIGN §8); what is older is refused finally at ingest. */
const RAW_DAYS = 7;
const AHEAD_DAYS = 7;

/** Day partitions for everything that ingest may still take, and a week ahead. Safe to repeat. */
export async function ensurePartitions(queries: Queries, now: number): Promise<void> {
  for (let day = -RAW_DAYS; day <= AHEAD_DAYS; day += 1) {
    await sql`select ensure_telemetry_partition(${isoDay(now + day * DAY_MS)}::date)`.execute(queries);
  }
}

/**
 * Drops the day partitions that lie wholly before the raw window.
 * @returns their names
 */
export async function dropExpiredPartitions(queries: Queries, now: number): Promise<readonly string[]> {
  const oldest = `telemetry_data_${isoDay(now - RAW_DAYS * DAY_MS).replaceAll('-', '')}`;
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'telemetry_data'::regclass and c.relname ~ '^telemetry_data_[0-9]{8}$'
      and c.relname < ${oldest} order by c.relname`.execute(queries);
  for (const { name } of rows) {
    // One after another: each takes the whole table for a moment.
    await sql`drop table ${sql.id(name)}`.execute(queries);
  }
  return rows.map(({ name }) => name);
}

function isoDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
