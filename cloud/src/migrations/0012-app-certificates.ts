import { type Kysely, sql } from 'kysely';

/** Certificates of apps, which have the rights of their user for a day and no longer than their session. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table app_certificates (
    app_uuid uuid primary key,
    user_id integer not null references users on delete cascade,
    session_id uuid references sessions on delete cascade,
    serial text not null unique,
    created_at timestamptz not null,
    not_after timestamptz not null,
    admitted_at timestamptz,
    ended_at timestamptz
  )`.execute(db);
  await sql`create index app_certificates_by_user on app_certificates (user_id)`.execute(db);
  await sql`create index app_certificates_running on app_certificates (not_after) where ended_at is null`.execute(
    db,
  );
}
