import { type Kysely, sql } from 'kysely';

/**
 * Sharing, interventions and the catalogue. Only adds: a process of the release before reads and writes on. What it
 * inserts gets the defaults, and a viewer whom it knows of stays one.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Whom an owner lets see his device, by the address that he wrote. It is a viewer's row once that person exists.
  `create table shares (
    id uuid primary key default gen_random_uuid(),
    assignment_id integer not null references assignments on delete cascade,
    email text not null check (email = lower(email)),
    created_at timestamptz not null default now(),
    unique (assignment_id, email)
  )`,
  `create index shares_by_email on shares (email)`,
  `alter table assignment_viewers add column share_id uuid references shares on delete cascade`,
  `create index assignment_viewers_by_user on assignment_viewers (user_id)`,
  `create index assignment_viewers_by_share on assignment_viewers (share_id)`,
  // Viewers from before have a share as well, so that their owner sees them and can take it back.
  `insert into shares (assignment_id, email)
    select v.assignment_id, u.email from assignment_viewers v join users u on u.id = v.user_id`,
  `update assignment_viewers v set share_id = s.id from shares s, users u
    where s.assignment_id = v.assignment_id and u.id = v.user_id and s.email = u.email`,
  // What a device was before it was blocked, and comes back to.
  `alter table devices add column life_cycle_before_block text`,
  `alter table alerts add column resolved_by integer references users on delete set null`,
  `alter table alerts add column resolution text`,
  `create index alerts_open on alerts (id) where resolved_at is null`,
  `create index alerts_by_device on alerts (device_id, id)`,
  // Grows with each edit; an edit that was made on an older one is refused.
  `alter table devices add column version integer not null default 1`,
  `alter table supported_components add column version integer not null default 1`,
  `alter table device_pin_configs add column version integer not null default 1`,
  `alter table attached_components add column version integer not null default 1`,
  `alter table hardware_variants add column version integer not null default 1`,
  `alter table hardware_variants add column description text`,
  `alter table hardware_variants add column created_at timestamptz not null default now()`,
  `create index devices_by_variant on devices (hardware_variant_id)`,
  `create index attached_components_by_type on attached_components (component_type_id)`,
  // Who asked for a claim on the user's behalf.
  `alter table claims add column asked_by integer references users on delete set null`,
];
