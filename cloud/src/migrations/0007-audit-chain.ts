import { type Kysely, sql } from 'kysely';

/** Rows of the audit log are written once; each gets a place in a chain, whose links a key of the cloud makes. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table audit_log
    add column chain_seq bigint unique,
    add column chain_mac bytea,
    add check ((chain_seq is null) = (chain_mac is null))`.execute(db);
  await sql`create index audit_log_unchained on audit_log (id) where chain_seq is null`.execute(db);
  await sql`create index audit_log_by_object on audit_log (object_type, object_id, id desc)`.execute(db);
  await sql`create function guard_audit_log() returns trigger language plpgsql as $$
    begin
      if tg_op = 'UPDATE' and old.chain_seq is null
        and (to_jsonb(new) - 'chain_seq' - 'chain_mac') = (to_jsonb(old) - 'chain_seq' - 'chain_mac') then
        return new;
      end if;
      raise exception 'the audit log is only ever added to' using errcode = 'insufficient_privilege';
    end $$`.execute(db);
  await sql`create trigger audit_log_guard before update or delete on audit_log
    for each row execute function guard_audit_log()`.execute(db);
  await sql`create trigger audit_log_guard_truncate before truncate on audit_log
    for each statement execute function guard_audit_log()`.execute(db);
}
