import { type Kysely, sql } from 'kysely';

/** Roll-ups of readings, readings with unexpected times, and when the health of components must be looked at. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table telemetry_minutes (
    device_id integer not null,
    component_id integer not null,
    metric_id smallint not null,
    bucket timestamptz not null,
    n integer not null,
    min double precision not null,
    max double precision not null,
    sum double precision not null,
    primary key (device_id, bucket, component_id, metric_id)
  ) partition by range (bucket)`,
  `create table telemetry_hours (
    device_id integer not null,
    component_id integer not null,
    metric_id smallint not null,
    bucket timestamptz not null,
    n integer not null,
    min double precision not null,
    max double precision not null,
    sum double precision not null,
    primary key (device_id, bucket, component_id, metric_id)
  )`,
  `create function ensure_minutes_partition(day date) returns void language plpgsql as $$
    declare name text := 'telemetry_minutes_' || to_char(day, 'YYYYMMDD');
    begin
      if to_regclass(name) is null then
        perform pg_advisory_xact_lock(hashtext(name));
        execute format('create table if not exists %I partition of telemetry_minutes for values from (%L) to (%L)',
          name, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
      end if;
    end $$`,
  // Minutes whose roll-up is to be made again. Each insert of readings adds its own in its own transaction: who sees
  // the mark sees the readings, and what is marked later stays marked.
  `create table telemetry_touched (
    device_id integer not null,
    minute timestamptz not null
  )`,
  `create index telemetry_touched_by_minute on telemetry_touched (minute)`,
  // A trigger, as replicas of the release before insert readings too.
  `create function mark_touched_minutes() returns trigger language plpgsql as $$
    begin
      insert into telemetry_touched (device_id, minute)
        select distinct device_id, date_trunc('minute', time, 'UTC') from fresh;
      return null;
    end $$`,
  `create trigger telemetry_data_touches after insert on telemetry_data referencing new table as fresh
    for each statement execute function mark_touched_minutes()`,
  `insert into telemetry_touched (device_id, minute)
    select distinct device_id, date_trunc('minute', time, 'UTC') from telemetry_data`,
  // Readings that were refused for their time, or that nobody could store. No references: they judge nothing.
  `create table telemetry_quarantine (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    device_id integer not null references devices on delete cascade,
    reason text not null,
    boot_id text not null,
    seq bigint not null,
    component_id integer not null,
    metric text not null,
    value double precision not null,
    measured_at_ms double precision not null
  )`,
  `create index telemetry_quarantine_by_device on telemetry_quarantine (device_id, id desc)`,
  // When the health that time alone changes is to be looked at, and what was last told of it.
  `alter table devices
    add column online_since timestamptz,
    add column health_due_at timestamptz,
    add column health_told text`,
  `create function expect_health() returns trigger language plpgsql as $$
    begin
      if old.presence <> 'ONLINE' then new.online_since := coalesce(new.last_seen, now()); end if;
      new.health_due_at := coalesce(new.health_due_at, new.last_seen, now());
      return new;
    end $$`,
  // Whoever comes or speaks is looked at from then on.
  `create trigger devices_expect_health before update of presence, last_seen on devices for each row
    when (new.presence = 'ONLINE' and (old.presence <> 'ONLINE'
      or (new.health_due_at is null and new.last_seen is distinct from old.last_seen)))
    execute function expect_health()`,
  `update devices set online_since = coalesce(last_seen, now()), health_due_at = now() where presence = 'ONLINE'`,
  `create index devices_health_due on devices (health_due_at) where health_due_at is not null`,
];
