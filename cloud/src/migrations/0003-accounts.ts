import { type Kysely, sql } from 'kysely';

/** Sessions, profiles, codes by mail, and the queue of mails. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `alter table users
    add column display_name text check (length(display_name) between 1 and 80),
    add column locale text check (length(locale) <= 35),
    add column time_zone text check (length(time_zone) <= 64),
    add column notifications jsonb not null default '{}',
    add column email_verified_at timestamptz,
    add column deleted_at timestamptz,
    add column erased_at timestamptz,
    add column version integer not null default 1,
    add check (erased_at is null or deleted_at is not null)`,
  // Nobody could verify an address before.
  `update users set email_verified_at = created_at`,
  `create index users_by_age on users (created_at, id)`,
  `create index users_to_erase on users (deleted_at) where deleted_at is not null and erased_at is null`,
  `create table former_emails (
    user_id integer not null references users on delete cascade,
    email text not null,
    accepted_until timestamptz not null,
    primary key (user_id, email)
  )`,
  // A request that was let in just before its account was deleted must not get a device for it.
  `create function refuse_deleted_user() returns trigger language plpgsql as $$
    begin
      if (select deleted_at is not null from users where id = new.user_id for key share) then
        raise foreign_key_violation using constraint = 'user_deleted', message = 'this account was deleted';
      end if;
      return new;
    end $$`,
  `create trigger claims_of_live_users before insert on claims
    for each row execute function refuse_deleted_user()`,
  `create trigger assignments_of_live_users before insert on assignments
    for each row execute function refuse_deleted_user()`,
  `create table sessions (
    id uuid primary key,
    user_id integer not null references users on delete cascade,
    created_at timestamptz not null,
    last_used_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    end_reason text,
    check ((ended_at is null) = (end_reason is null))
  )`,
  `create index sessions_by_user on sessions (user_id) where ended_at is null`,
  `create index sessions_by_expiry on sessions (expires_at)`,
  `create table refresh_tokens (
    token_hash bytea primary key,
    session_id uuid not null references sessions on delete cascade,
    parent_hash bytea,
    state text not null default 'FRESH' check (state in ('FRESH', 'USED', 'SUPERSEDED')),
    created_at timestamptz not null,
    used_at timestamptz,
    check ((state = 'USED') = (used_at is not null))
  )`,
  `create index refresh_tokens_by_session on refresh_tokens (session_id)`,
  `create index refresh_tokens_by_parent on refresh_tokens (parent_hash)`,
  `create table email_codes (
    user_id integer not null references users on delete cascade,
    purpose text not null check (purpose in ('verify-email', 'change-email', 'reset-password')),
    email text not null,
    code_hash bytea not null,
    expires_at timestamptz not null,
    tries integer not null default 0,
    primary key (user_id, purpose)
  )`,
  `create index email_codes_by_email on email_codes (email)`,
  `create table mails (
    id uuid primary key,
    kind text not null,
    email text not null,
    detail jsonb not null default '{}',
    created_at timestamptz not null,
    due_at timestamptz not null,
    give_up_at timestamptz not null,
    attempts integer not null default 0
  )`,
  `create index mails_by_due on mails (due_at)`,
  // Wherever an alert is raised, the owner of the device and the administrators are told, if they want to be.
  `create function mail_alert() returns trigger language plpgsql as $$
    begin
      insert into mails (id, kind, email, detail, created_at, due_at, give_up_at)
        select gen_random_uuid(), 'alert', u.email,
          jsonb_strip_nulls(jsonb_build_object('alert', new.kind,
            'device', (select device_uuid from devices where id = new.device_id))),
          new.at, new.at, new.at + interval '1 day'
        from users u
        where u.suspended_at is null and u.deleted_at is null
          and (u.notifications ->> 'alerts') is distinct from 'false'
          and (
            exists (select 1 from assignments a
              where a.user_id = u.id and a.ended_at is null and a.device_id = new.device_id)
            or exists (select 1 from user_roles h join roles r on r.id = h.role_id
              where h.user_id = u.id and r.name in ('prime_admin', 'general_admin'))
          );
      return null;
    end $$`,
  `create trigger alerts_are_mailed after insert on alerts for each row execute function mail_alert()`,
];
