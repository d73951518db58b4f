import { type Kysely, sql } from 'kysely';

/** Who has a right by a share, kept in the database: whatever confirms an address or deletes an account counts. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Whoever shows that an address is his gets what is shared with it; one share is for one person.
  `create function take_shares() returns trigger language plpgsql as $$
    begin
      insert into assignment_viewers (assignment_id, user_id, share_id)
        select s.assignment_id, u.id, s.id
        from shares s
        join users u on u.email = s.email and u.email_verified_at is not null and u.deleted_at is null
        join assignments a on a.id = s.assignment_id and a.ended_at is null and a.user_id <> u.id
        where s.email = new.email
          and not exists (select 1 from assignment_viewers v where v.share_id = s.id)
        on conflict do nothing;
      return new;
    end $$`,
  `create trigger users_take_shares after insert or update of email, email_verified_at on users
    for each row when (new.email_verified_at is not null) execute function take_shares()`,
  `create trigger shares_are_taken after insert on shares for each row execute function take_shares()`,
  // Nothing that was shared with a person outlives his account, his address least of all. An address that he never
  // showed to be his is somebody else's.
  `create function drop_shares() returns trigger language plpgsql as $$
    begin
      delete from shares s using assignment_viewers v where v.share_id = s.id and v.user_id = new.id;
      delete from shares where email = old.email and old.email_verified_at is not null;
      delete from assignment_viewers where user_id = new.id;
      return new;
    end $$`,
  `create trigger users_drop_shares after update of deleted_at on users
    for each row when (new.deleted_at is not null and old.deleted_at is null) execute function drop_shares()`,
];
