import { type Kysely, sql } from 'kysely';

/** Orders to the device itself: they have no component, and a number of their own in each assignment. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table commands alter column component_id drop not null`.execute(db);
  await sql`alter table assignments add column wifi_seq bigint not null default 0`.execute(db);
  await sql`create unique index commands_wifi_seq on commands (assignment_id, seq) where component_id is null`.execute(
    db,
  );
}
