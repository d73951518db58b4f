import { type Kysely, sql } from 'kysely';

/** How often a device reads a component, where it says so itself. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table component_health add column sample_interval_ms integer`.execute(db);
}
