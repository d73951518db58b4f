import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { usePostgres } from '../../../test/support/postgres.ts';
import { openPgDatabase } from '../../src/adapters/pg-database.ts';
import { migrations } from '../../src/migrations/index.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { silentLogger } from './quiet.ts';

/** A database as it was after a migration, and how to reach it. Close it. */
export async function databaseAt(migration: string | undefined) {
  const connection = await usePostgres();
  const database = openPgDatabase({ connection, log: silentLogger });
  if (migration !== undefined) await migrateTo(database, migration);
  return { connection, database };
}

export async function migrateTo({ db }: CloudDatabase, migration: string): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
  const { error } = await migrator.migrateTo(migration);
  if (error !== undefined) throw error;
}

/**
 * Rows in every table of the first release, in the words of that release: two owners, one of them a former one, a
 * device of each life cycle, readings over days, and values that are awkward to write down.
 */
export async function fill({ db }: { readonly db: Kysely<never> }): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db);
  const awkward = `E'tab\\there, line\\nend, back\\\\slash, quote''s, \\\\N, "ü" 漢字'`;
  await run(`insert into users (email, password_hash) values
    ('first+x@example.org', '$argon2id$x'), ('second@example.org', '$argon2id$y')`);
  await run('insert into user_roles select u.id, r.id from users u, roles r where u.id = 1');
  await run(
    `insert into hardware_variants (hardware_version, hardware_variant) values ('sim-1', 'standard')`,
  );
  const cycles = ['REGISTERED', 'ACTIVE', 'RECOVERY_NEEDED', 'QUARANTINED', 'BLOCKED', 'RELEASED'];
  for (const [i, cycle] of cycles.entries())
    await run(`insert into devices (device_uuid, cpu_serial, identity_key_hash, identity_key, hardware_variant_id,
        life_cycle, nickname, presence, last_seen)
      values ('${randomUUID()}', '00000000000000${i}0', '${String(i).repeat(64)}', '\\x00ff0a09', 1, '${cycle}',
        ${i === 1 ? awkward : 'null'}, '${i === 1 ? 'ONLINE' : 'OFFLINE'}', ${i === 1 ? 'now()' : 'null'})`);
  await run(`insert into device_boots (device_id, boot_id, boot_count, anchor_ms)
    values (2, repeat('a', 32), 1, 1700000000123), (2, repeat('b', 32), 2, null)`);
  await run(`insert into assignments (device_id, number, user_id, ended_at)
    values (2, 1, 2, now()), (2, 2, 1, null)`);
  await run(`insert into assignment_secrets (assignment_id, n, sealed) values (2, 1, '\\x5c0a09')`);
  await run('insert into assignment_viewers values (2, 2)');
  await run(`insert into supported_components (component_type, definition, built_in) values ('probe',
    '{"componentType":"probe","kind":"sensor","pinRoles":[],"metrics":[{"metric":"t","unit":"Cel","min":0,"max":9,"stateKey":"t"}],"actions":[],"sampleIntervalMs":5000}', false)`);
  await run(`insert into metrics (component_type_id, metric) values (1, 't')`);
  await run(`insert into device_pin_configs (hardware_variant_id, component_type, role, pins)
    values (1, 'probe', 'data', '{4,17}')`);
  await run(`insert into attached_components (device_id, assignment_id, component_type_id, name, pins, config)
    values (2, 2, 1, ${awkward}, '{}', '{"a":[1,null]}')`);
  await run(`insert into component_health values (1, 'ERROR', ${awkward}, 1, 5)`);
  await run(
    `select ensure_telemetry_partition((now() - i * interval '1 day')::date) from generate_series(0, 6) i`,
  );
  await run(`insert into telemetry_data select 2, 1, 1, 1, i % 4, i, now() - i * interval '37 minutes',
    (array[0.1, -0.0, 1e308, 5e-324, 'NaN', 'Infinity'])[1 + i % 6]::float8 from generate_series(1, 200) i`);
  await run(`insert into retired_identity_keys values (repeat('f', 64), 3, now())`);
  await run(`insert into claims (id, device_id, user_id, nonce_hash, identity_key_hash, expires_at)
    values ('${randomUUID()}', 1, 1, '\\x01', 'x', now())`);
  await run('insert into claim_attempts values (1, now())');
  await run(`insert into challenges values ('\\x02', '${randomUUID()}', now(), now())`);
  await run(`insert into recovery_tokens values ('\\x03', 1, now(), null)`);
  await run('insert into recovery_failures values (1, now())');
  await run(`insert into certificates (device_id, assignment_id, serial, spki_hash, chain_pem, not_after, status, request_hash)
    values (2, 2, 'ab12', 'cd', E'-----BEGIN\\nx', now(), 'ACTIVE', 'ef')`);
  await run(`insert into commands (id, device_id, assignment_id, component_id, user_id, action, args, seq, topic, jws, expires_at)
    values ('${randomUUID()}', 2, 2, 1, 1, 'on', '{}', 1, 'commands/x', 'a.b.c', now())`);
  await run(`insert into audit_log (actor_user_id, action, object_type, object_id, detail)
    values (1, 'device.unlink', 'device', 'x', '{"why":"test"}')`);
  await run(`insert into security_events (device_id, code, detail) values (2, 'BAD_MAC', '{}')`);
  await run(`insert into alerts (kind, device_id, detail) values ('clone', 2, '{}')`);
}

/** Every row of every table of ours as text, and each sequence: what a restored database must have again. */
export async function everythingIn({ db }: CloudDatabase): Promise<Record<string, readonly string[]>> {
  const { rows: tables } = await sql<{ name: string }>`select c.relname as name from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1`.execute(db);
  const all: Record<string, readonly string[]> = {};
  for (const { name } of tables) {
    const { rows } = await sql<{
      row: string;
    }>`select t::text as row from ${sql.table(name)} t order by 1`.execute(db);
    all[name] = rows.map(({ row }) => row);
  }
  const { rows: sequences } = await sql<{
    row: string;
  }>`select sequencename || ' ' || coalesce(last_value::text, '-') as row
    from pg_sequences where schemaname = 'public' order by 1`.execute(db);
  all['(sequences)'] = sequences.map(({ row }) => row);
  return all;
}

/** What the tables are, without what is in them: columns, constraints, indexes, triggers. */
export async function shapeOf({ db }: CloudDatabase): Promise<readonly string[]> {
  const { rows } = await sql<{ line: string }>`
    select 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' '
      || a.attnotnull || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || a.attidentity::text as line
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace
    union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
    union all select 'trigger ' || tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text
    from pg_trigger where not tgisinternal order by 1`.execute(db);
  return rows.map(({ line }) => line);
}
