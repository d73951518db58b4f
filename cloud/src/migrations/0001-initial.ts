import { type Kysely, sql } from 'kysely';

/** The tables of DESIGN §8. The rules that must hold whatever the code does are constraints here. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table users (
    id integer generated always as identity primary key,
    user_uuid uuid not null default gen_random_uuid() unique,
    email text not null unique check (email = lower(email)),
    password_hash text not null,
    created_at timestamptz not null default now(),
    suspended_at timestamptz
  )`,
  `create table roles (
    id smallint generated always as identity primary key,
    name text not null unique
  )`,
  `insert into roles (name) values ('prime_admin'), ('general_admin'), ('developer')`,
  `create table user_roles (
    user_id integer not null references users on delete cascade,
    role_id smallint not null references roles,
    primary key (user_id, role_id)
  )`,
  `create table hardware_variants (
    id integer generated always as identity primary key,
    hardware_version text not null,
    hardware_variant text not null,
    unique (hardware_version, hardware_variant)
  )`,
  `create table devices (
    id integer generated always as identity primary key,
    device_uuid uuid not null unique,
    cpu_serial text not null unique,
    identity_key_hash text unique check (identity_key_hash ~ '^[0-9a-f]{64}$'),
    identity_key bytea,
    first_use_until timestamptz,
    clone_seen_at timestamptz,
    hardware_variant_id integer not null references hardware_variants,
    life_cycle text not null default 'REGISTERED' check (life_cycle in
      ('REGISTERED', 'ACTIVE', 'RECOVERY_NEEDED', 'QUARANTINED', 'BLOCKED', 'RELEASED')),
    nickname text check (length(nickname) between 1 and 80),
    components_revision integer not null default 0,
    created_at timestamptz not null default now(),
    last_seen timestamptz,
    presence text not null default 'OFFLINE' check (presence in ('ONLINE', 'OFFLINE', 'TIMEOUT')),
    connection_id uuid
  )`,
  `create index devices_online on devices (last_seen) where presence = 'ONLINE'`,
  // A key that recovery replaced is dead for ever, for every device and whatever the code does.
  `create table retired_identity_keys (
    spki_hash text primary key,
    device_id integer references devices on delete set null,
    retired_at timestamptz not null default now()
  )`,
  `create function guard_identity_key() returns trigger language plpgsql as $$
    begin
      if new.identity_key_hash is not null
        and exists (select 1 from retired_identity_keys where spki_hash = new.identity_key_hash) then
        raise unique_violation using constraint = 'devices_identity_key_retired',
          message = 'this identity key was retired';
      end if;
      if tg_op = 'UPDATE' and old.identity_key_hash is distinct from new.identity_key_hash
        and old.identity_key_hash is not null then
        insert into retired_identity_keys (spki_hash, device_id) values (old.identity_key_hash, new.id)
          on conflict do nothing;
      end if;
      return new;
    end $$`,
  `create trigger devices_guard_identity_key before insert or update of identity_key_hash on devices
    for each row execute function guard_identity_key()`,
  `create table device_boots (
    id integer generated always as identity primary key,
    device_id integer not null references devices on delete cascade,
    boot_id text not null check (boot_id ~ '^[0-9a-f]{32}$'),
    boot_count integer not null check (boot_count > 0),
    anchor_ms bigint,
    first_seen timestamptz not null default now(),
    born_at timestamptz,
    unique (device_id, boot_id)
  )`,
  `create index device_boots_by_count on device_boots (device_id, boot_count)`,
  `create table assignments (
    id integer generated always as identity primary key,
    device_id integer not null references devices on delete cascade,
    number integer not null check (number > 0),
    user_id integer not null references users,
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    secret_n integer not null default 1,
    reset_order text,
    reset_order_id uuid,
    reset_receipt_at timestamptz,
    revoke_due_at timestamptz,
    unique (device_id, number)
  )`,
  // One active owner.
  `create unique index assignments_one_active on assignments (device_id) where ended_at is null`,
  `create index assignments_by_user on assignments (user_id)`,
  `create index assignments_revoke_due on assignments (revoke_due_at) where revoke_due_at is not null`,
  `create table assignment_secrets (
    id integer generated always as identity primary key,
    assignment_id integer not null references assignments on delete cascade,
    n integer not null check (n > 0),
    sealed bytea not null,
    created_at timestamptz not null default now(),
    retired_at timestamptz,
    unique (assignment_id, n)
  )`,
  // One active key.
  `create unique index assignment_secrets_one_active on assignment_secrets (assignment_id) where retired_at is null`,
  `create table assignment_viewers (
    assignment_id integer not null references assignments on delete cascade,
    user_id integer not null references users on delete cascade,
    primary key (assignment_id, user_id)
  )`,
  `create table supported_components (
    id smallint generated always as identity primary key,
    component_type text not null unique,
    definition jsonb not null,
    built_in boolean not null default false
  )`,
  `create table metrics (
    id smallint generated always as identity primary key,
    component_type_id smallint not null references supported_components,
    metric text not null,
    unique (component_type_id, metric)
  )`,
  `create table device_pin_configs (
    id integer generated always as identity primary key,
    hardware_variant_id integer not null references hardware_variants on delete cascade,
    component_type text not null,
    role text not null,
    pins integer[] not null,
    unique (hardware_variant_id, component_type, role)
  )`,
  `create table attached_components (
    id integer generated always as identity primary key,
    device_id integer not null references devices on delete cascade,
    assignment_id integer not null references assignments on delete cascade,
    component_type_id smallint not null references supported_components,
    name text,
    pins jsonb not null,
    config jsonb not null,
    command_seq bigint not null default 0,
    attached_at timestamptz not null default now(),
    detached_at timestamptz
  )`,
  // What the device last said of each component; values are in telemetry_data.
  `create table component_health (
    component_id integer primary key references attached_components on delete cascade,
    status text not null check (status in ('OK', 'ERROR')),
    reason text,
    boot_count integer not null,
    uptime_ms bigint not null
  )`,
  `create index attached_components_by_assignment on attached_components (assignment_id)`,
  `create table telemetry_data (
    device_id integer not null,
    boot_id integer not null,
    component_id integer not null,
    metric_id smallint not null,
    flags smallint not null,
    seq bigint not null,
    time timestamptz not null,
    value double precision not null,
    unique (device_id, boot_id, seq, time)
  ) partition by range (time)`,
  `create index telemetry_data_by_time on telemetry_data using brin (time) with (pages_per_range = 32, autosummarize = on)`,
  // Day partitions by UTC, whatever the session's time zone. No default partition: it would block detaching.
  `create function ensure_telemetry_partition(day date) returns void language plpgsql as $$
    declare name text := 'telemetry_data_' || to_char(day, 'YYYYMMDD');
    begin
      if to_regclass(name) is null then
        perform pg_advisory_xact_lock(hashtext(name));
        execute format('create table if not exists %I partition of telemetry_data for values from (%L) to (%L)',
          name, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
      end if;
    end $$`,
  `create view telemetry_readings as
    select d.device_uuid, c.id as component_id, s.component_type, m.metric, t.time, t.value, t.flags, t.seq,
      b.boot_id, b.boot_count, c.assignment_id
    from telemetry_data t
    join devices d on d.id = t.device_id
    join device_boots b on b.id = t.boot_id
    join metrics m on m.id = t.metric_id
    join attached_components c on c.id = t.component_id
    join supported_components s on s.id = c.component_type_id`,
  `create table claims (
    id uuid primary key,
    device_id integer not null references devices on delete cascade,
    user_id integer not null references users on delete cascade,
    nonce_hash bytea not null unique,
    identity_key_hash text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz
  )`,
  `create index claims_by_expiry on claims (expires_at)`,
  // What a user may ask for in an hour counts refused tries too.
  `create table claim_attempts (
    user_id integer not null references users on delete cascade,
    at timestamptz not null
  )`,
  `create index claim_attempts_by_user on claim_attempts (user_id, at)`,
  `create table challenges (
    nonce_hash bytea primary key,
    device_uuid uuid not null,
    expires_at timestamptz not null,
    used_at timestamptz not null
  )`,
  `create index challenges_by_expiry on challenges (expires_at)`,
  `create table recovery_tokens (
    token_hash bytea primary key,
    device_id integer not null references devices on delete cascade,
    expires_at timestamptz not null,
    used_at timestamptz
  )`,
  `create index recovery_tokens_by_device on recovery_tokens (device_id)`,
  `create table recovery_failures (
    device_id integer not null references devices on delete cascade,
    at timestamptz not null
  )`,
  `create index recovery_failures_by_device on recovery_failures (device_id, at)`,
  `create table certificates (
    id integer generated always as identity primary key,
    device_id integer not null references devices on delete cascade,
    assignment_id integer not null references assignments on delete cascade,
    serial text not null unique,
    spki_hash text not null unique,
    chain_pem text,
    not_before timestamptz,
    not_after timestamptz,
    status text not null check (status in ('PENDING', 'ACTIVE', 'SUPERSEDED', 'REVOKED')),
    request_hash text not null,
    claim_id uuid,
    created_at timestamptz not null default now(),
    used_at timestamptz,
    superseded_until timestamptz,
    revoked_at timestamptz,
    revocation_reason text,
    check (status = 'PENDING' or status = 'REVOKED' or chain_pem is not null),
    check (status <> 'SUPERSEDED' or superseded_until is not null)
  )`,
  // One valid certificate a device, and one being made.
  `create unique index certificates_one_active on certificates (device_id) where status = 'ACTIVE'`,
  `create unique index certificates_one_pending on certificates (device_id) where status = 'PENDING'`,
  `create index certificates_by_device on certificates (device_id, status)`,
  `create table commands (
    id uuid primary key,
    device_id integer not null references devices on delete cascade,
    assignment_id integer not null references assignments on delete cascade,
    component_id integer not null references attached_components on delete cascade,
    user_id integer not null references users,
    action text not null,
    args jsonb not null,
    seq bigint not null,
    topic text not null,
    jws text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    published_at timestamptz,
    status text not null default 'PENDING' check (status in
      ('PENDING', 'COMPLETED', 'FAILED', 'REJECTED', 'EXPIRED', 'STALE', 'UNKNOWN')),
    code text,
    detail text,
    verified boolean,
    lease_ends_at timestamptz,
    finished_at timestamptz,
    unique (component_id, seq),
    check ((status = 'PENDING') = (finished_at is null))
  )`,
  `create index commands_by_device on commands (device_id, created_at desc)`,
  `create index commands_pending on commands (expires_at) where status = 'PENDING'`,
  `create table audit_log (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    actor_user_id integer references users,
    action text not null,
    object_type text not null,
    object_id text not null,
    detail jsonb not null,
    source text
  )`,
  `create table security_events (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    device_id integer references devices on delete cascade,
    code text not null,
    detail jsonb not null
  )`,
  `create index security_events_by_device on security_events (device_id, at desc)`,
  `create table alerts (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    kind text not null,
    device_id integer references devices on delete cascade,
    detail jsonb not null,
    resolved_at timestamptz
  )`,
];
