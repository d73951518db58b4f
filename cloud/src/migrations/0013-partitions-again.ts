import { type Kysely, sql } from 'kysely';

/**
 * A partition that was taken out of its table and not dropped is put back when its day is wanted again: readings of
 * that day had no place as long as its name was taken. Tables that are no longer partitioned here are left alone.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const [make, table] of [
    ['ensure_telemetry_partition', 'telemetry_data'],
    ['ensure_minutes_partition', 'telemetry_minutes'],
  ] as const)
    await sql
      .raw(`do $outer$ begin
        if (select relkind from pg_class where oid = to_regclass('${table}')) = 'p' then
          create or replace function ${make}(day date) returns void language plpgsql as $$
            declare
              name text := '${table}_' || to_char(day, 'YYYYMMDD');
              bounds text := format('for values from (%L) to (%L)', day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
            begin
              if exists (select from pg_inherits where inhrelid = to_regclass(name)) then return; end if;
              perform pg_advisory_xact_lock(hashtext(name));
              if to_regclass(name) is null then
                -- What another process made a moment ago may not be seen by name yet.
                execute format('create table if not exists %I partition of ${table} %s', name, bounds);
              elsif not exists (select from pg_inherits where inhrelid = to_regclass(name)) then
                execute format('alter table ${table} attach partition %I %s', name, bounds);
              end if;
            end $$;
        end if;
      end $outer$`)
      .execute(db);
}
