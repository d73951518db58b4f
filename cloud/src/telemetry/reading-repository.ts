import { sql } from 'kysely';
import { isDatabaseAway } from '../database/database-away.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { ReadingRow } from './admission.ts';

const DAY_MS = 86_400_000;

/** Writes readings. Rows that are there already are left alone: that is what makes delivery twice harmless. */
export function createReadingRepository({ db }: Pick<CloudDatabase, 'db'>) {
  /** Days (epoch days) whose partition was seen. */
  const days = new Set<number>();

  const ensurePartitions = async (rows: readonly ReadingRow[]): Promise<void> => {
    for (const day of new Set(rows.map(({ time }) => Math.floor(time / DAY_MS)))) {
      if (days.has(day)) continue;
      const date = new Date(day * DAY_MS).toISOString().slice(0, 10);
      try {
        // A statement of its own: a partition is made under a lock that inserts of others must not wait for long.
        await sql`select ensure_telemetry_partition(${date}::date)`.execute(db);
        days.add(day);
      } catch (error) {
        // One that cannot be made is told by the rows that find no place; those of other days have theirs.
        if (isDatabaseAway(error)) throw error;
      }
    }
  };

  return {
    /**
     * Inserts rows in one statement, which commits or fails as a whole. They must be sorted by key: replicas that
     * insert the same rows in different orders deadlock.
     */
    async insert(rows: readonly ReadingRow[]): Promise<void> {
      await ensurePartitions(rows);
      try {
        await sql`insert into telemetry_data (device_id, boot_id, component_id, metric_id, flags, seq, time, value)
          select d, b, c, m, f, s, to_timestamp(t / 1000), v from unnest(
            ${column(rows, 'deviceId')}::int4[], ${column(rows, 'bootId')}::int4[],
            ${column(rows, 'componentId')}::int4[], ${column(rows, 'metricId')}::int2[],
            ${column(rows, 'flags')}::int2[], ${column(rows, 'seq')}::int8[],
            ${column(rows, 'time')}::float8[], ${column(rows, 'value')}::float8[]
          ) as r(d, b, c, m, f, s, t, v)
          on conflict do nothing`.execute(db);
      } catch (error) {
        // Whoever keeps the partitions may have dropped one meanwhile.
        days.clear();
        throw error;
      }
    },
  };
}

/** An array literal, made here: the driver's own takes three times as long for thousands of numbers. */
function column(rows: readonly ReadingRow[], key: keyof ReadingRow): string {
  let text = '{';
  for (let i = 0; i < rows.length; i++) text += i === 0 ? rows[i]![key] : `,${rows[i]![key]}`;
  return `${text}}`;
}

/** The order of the unique index. */
export function compareRows(a: ReadingRow, b: ReadingRow): number {
  return a.deviceId - b.deviceId || a.bootId - b.bootId || a.seq - b.seq || a.time - b.time;
}
