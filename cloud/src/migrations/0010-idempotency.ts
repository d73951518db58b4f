import { type Kysely, sql } from 'kysely';

/** Answers of requests that were sent with an Idempotency-Key, sealed: some carry a nonce or a token. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table idempotency_keys (
    user_id integer not null references users on delete cascade,
    key text not null,
    fingerprint bytea not null,
    created_at timestamptz not null,
    status smallint,
    sealed_answer bytea,
    primary key (user_id, key),
    check ((status is null) = (sealed_answer is null))
  )`.execute(db);
  await sql`create index idempotency_keys_by_age on idempotency_keys (created_at)`.execute(db);
}
