import { type Kysely, sql } from 'kysely';

/** Keys of devices for offline tokens, the tokens issued, and the version of each device's revocation list. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table device_keys (
    id integer generated always as identity primary key,
    device_id integer not null references devices on delete cascade,
    kid text not null unique,
    alg text not null check (alg in ('ED25519', 'ES256')),
    public_jwk jsonb not null check (not public_jwk ? 'd'),
    sealed_private bytea,
    created_at timestamptz not null,
    rotated_at timestamptz,
    deactivated_at timestamptz,
    -- What signs no more is destroyed.
    check ((sealed_private is not null) = (rotated_at is null and deactivated_at is null))
  )`,
  // One active key a device.
  `create unique index device_keys_one_active on device_keys (device_id)
    where rotated_at is null and deactivated_at is null`,
  `create index device_keys_by_device on device_keys (device_id)`,
  `create table offline_tokens (
    jti uuid primary key,
    device_id integer not null references devices on delete cascade,
    assignment_id integer not null references assignments on delete cascade,
    device_key_id integer not null references device_keys on delete cascade,
    user_id integer not null references users,
    scope text[] not null check (cardinality(scope) between 1 and 64),
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    check (expires_at > issued_at and expires_at <= issued_at + interval '24 hours')
  )`,
  `create index offline_tokens_by_device on offline_tokens (device_id, issued_at desc)`,
  `create index offline_tokens_by_expiry on offline_tokens (expires_at)`,
  `create index offline_tokens_by_key on offline_tokens (device_key_id)`,
  `create table offline_revocations (
    device_id integer primary key references devices on delete cascade,
    version bigint not null check (version > 0)
  )`,
  // By the clock, so that a database restored from yesterday is ahead of what devices have seen, once it was raised.
  `create function raise_offline_revocations(device integer) returns void language sql as $$
    insert into offline_revocations (device_id, version) values (device, floor(extract(epoch from clock_timestamp()) * 1000))
    on conflict (device_id) do update set version = greatest(offline_revocations.version + 1, excluded.version)
  $$`,
  // A list names the running assignment, so it is another list whenever that changes, whoever changes it.
  `create function assignment_changes_offline_revocations() returns trigger language plpgsql as $$
    begin
      perform raise_offline_revocations(new.device_id);
      return null;
    end $$`,
  `create trigger assignments_raise_offline_revocations after insert or update of ended_at on assignments
    for each row execute function assignment_changes_offline_revocations()`,
];
