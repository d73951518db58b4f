import { sql } from 'kysely';
import type { Queries } from '../ports/database.ts';

/** What of a database goes into a backup, as the database itself tells it. */
export interface Catalogue {
  readonly tables: readonly { readonly name: string; readonly columns: readonly string[] }[];
  readonly sequences: Readonly<Record<string, number>>;
}

/** Tables of Ares without those of pg-boss, whose jobs are made anew; a partitioned one counts once. */
export async function catalogueOf(queries: Queries): Promise<Catalogue> {
  const { rows: tables } = await sql<{ name: string; columns: string[] }>`
    select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    group by c.relname order by c.relname`.execute(queries);
  const { rows: sequences } = await sql<{ name: string; last: string }>`
    select sequencename as name, last_value::text as last from pg_sequences
    where schemaname = 'public' and last_value is not null`.execute(queries);
  return { tables, sequences: Object.fromEntries(sequences.map(({ name, last }) => [name, Number(last)])) };
}

/** Days of the partitions of a table, `2026-11-20`. */
export async function partitionDays(queries: Queries, table: string): Promise<string[]> {
  const { rows } = await sql<{ day: string }>`
    select to_char(to_date(right(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass(${table}) and c.relname ~ '_[0-9]{8}$' order by 1`.execute(queries);
  return rows.map(({ day }) => day);
}
