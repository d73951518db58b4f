import type { Retention } from '../telemetry/retention.ts';

/**
 * The tables of readings as TimescaleDB keeps them, under the names and columns of the plain ones, so that every
 * query stays as it is. Continuous aggregates recompute what late rows touch by themselves.
 */

const hypertable: readonly string[] = [
  `select create_hypertable('telemetry_data', by_range('time', interval '1 day'), create_default_indexes => false)`,
  'create unique index telemetry_data_once on telemetry_data (device_id, boot_id, seq, time)',
];

const REHEARSAL = 'ares_rehearsal';
/** All of it in a schema of its own, before anything of ours is touched: fails where an edition lacks something. */
export const rehearsal = (retention: Retention): readonly string[] => [
  `drop schema if exists ${REHEARSAL} cascade`,
  `create schema ${REHEARSAL}`,
  `set search_path = ${REHEARSAL}, public`,
  `create table ${REHEARSAL}.telemetry_data (like public.telemetry_data)`,
  ...hypertable,
  ...continuousAggregates(retention),
];
export const rehearsalEnd: readonly string[] = [
  'reset search_path',
  `drop schema if exists ${REHEARSAL} cascade`,
];

/** In one transaction, on tables without readings. */
export const toHypertable: readonly string[] = [
  'drop view telemetry_readings',
  'drop table telemetry_minutes, telemetry_hours',
  'alter table telemetry_data rename to telemetry_data_plain',
  'create table telemetry_data (like telemetry_data_plain)',
  'drop table telemetry_data_plain cascade',
  ...hypertable,
  // Chunks are made by themselves, and marks are not needed.
  'create or replace function ensure_telemetry_partition(day date) returns void language sql as $$ select $$',
  'create or replace function ensure_minutes_partition(day date) returns void language sql as $$ select $$',
  `create view telemetry_readings as
    select d.device_uuid, c.id as component_id, s.component_type, m.metric, t.time, t.value, t.flags, t.seq,
      b.boot_id, b.boot_count, c.assignment_id
    from telemetry_data t
    join devices d on d.id = t.device_id
    join device_boots b on b.id = t.boot_id
    join metrics m on m.id = t.metric_id
    join attached_components c on c.id = t.component_id
    join supported_components s on s.id = c.component_type_id`,
];

/** One after another outside a transaction; each may be repeated. */
export function continuousAggregates(retention: Retention): readonly string[] {
  const { rawDays, minuteDays, hourDays } = retention;
  return [
    `create materialized view if not exists telemetry_minutes
      with (timescaledb.continuous, timescaledb.materialized_only = false) as
      select device_id, component_id, metric_id, time_bucket(interval '1 minute', time) as bucket,
        count(*) as n, min(value) as min, max(value) as max, sum(value) as sum
      from telemetry_data group by device_id, component_id, metric_id, time_bucket(interval '1 minute', time)
      with no data`,
    `create materialized view if not exists telemetry_hours
      with (timescaledb.continuous, timescaledb.materialized_only = false) as
      select device_id, component_id, metric_id, time_bucket(interval '1 hour', bucket) as bucket,
        sum(n) as n, min(min) as min, max(max) as max, sum(sum) as sum
      from telemetry_minutes group by device_id, component_id, metric_id, time_bucket(interval '1 hour', bucket)
      with no data`,
    // A refresh must never reach back to what retention has dropped: it would empty the buckets.
    `select add_continuous_aggregate_policy('telemetry_minutes', start_offset => interval '${rawDays} days',
      end_offset => interval '1 minute', schedule_interval => interval '1 minute', if_not_exists => true)`,
    `select add_continuous_aggregate_policy('telemetry_hours', start_offset => interval '${rawDays} days',
      end_offset => interval '1 hour', schedule_interval => interval '5 minutes', if_not_exists => true)`,
    `select add_retention_policy('telemetry_data', interval '${rawDays + 1} days', if_not_exists => true)`,
    `select add_retention_policy('telemetry_minutes', interval '${minuteDays} days', if_not_exists => true)`,
    ...(hourDays === undefined
      ? []
      : [
          `select add_retention_policy('telemetry_hours', interval '${hourDays} days', if_not_exists => true)`,
        ]),
    `alter table telemetry_data set (timescaledb.compress,
      timescaledb.compress_segmentby = 'device_id', timescaledb.compress_orderby = 'time desc, boot_id, seq')`,
    `select add_compression_policy('telemetry_data', interval '1 day', if_not_exists => true)`,
  ];
}
