import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Role } from '@ares/protocol/http';
import { fetch } from 'undici';
import { openPgDatabase } from '../../cloud/src/adapters/pg-database.ts';
import { type Cloud, composeCloud } from '../../cloud/src/compose.ts';
import { readConfig } from '../../cloud/src/config.ts';
import type { CloudDatabase } from '../../cloud/src/ports/database.ts';
import { freePort } from './ares-process.ts';
import { usePostgres } from './postgres.ts';

/** Somebody who is signed in. */
export interface Person {
  readonly userId: number;
  readonly userUuid: string;
  readonly email: string;
  readonly token: string;
}

/** A device with its people, made for one request. */
export interface OwnedDevice {
  readonly deviceUuid: string;
  readonly componentId: number;
}

const password = 'tomatoes and basil';

export type RoleWorld = Awaited<ReturnType<typeof startRoleWorld>>;

/** The whole cloud on a real PostgreSQL, with people of each role and devices that are theirs. */
export async function startRoleWorld() {
  const home = mkdtempSync(join(tmpdir(), 'ares-roles-'));
  const { user, password: secret, database: name, host } = await usePostgres();
  const cloud: Cloud = await composeCloud(
    readConfig('all', {
      ARES_HOME: home,
      PORT: String(await freePort()),
      DATABASE_URL: `postgres://${user}:${encodeURIComponent(secret)}@localhost/${name}?host=${encodeURIComponent(host)}`,
      ARES_LOG_LEVEL: 'silent',
    }),
  );
  const database: CloudDatabase = openPgDatabase({
    connection: { host, port: 5432, user, password: secret, database: name },
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  });
  const { db } = database;
  const client = createClient({ baseUrl: cloud.publicUrl, fetch });
  const { user: first } = await client.register({
    body: { email: `${randomUUID()}@example.org`, password },
  });
  const { password_hash } = await db
    .selectFrom('users')
    .select('password_hash')
    .where('user_uuid', '=', first.userId)
    .executeTakeFirstOrThrow();

  return {
    cloud,
    database,
    /** An account that nobody is signed in to. */
    async account(role?: Role) {
      const email = `${randomUUID()}@example.org`;
      const { id, user_uuid } = await db
        .insertInto('users')
        .values({ email, password_hash, email_verified_at: new Date() })
        .returning(['id', 'user_uuid'])
        .executeTakeFirstOrThrow();
      if (role === 'developer' || role === 'general_admin' || role === 'prime_admin') {
        await db
          .insertInto('user_roles')
          .values((from) => ({
            user_id: id,
            role_id: from.selectFrom('roles').select('id').where('name', '=', role),
          }))
          .execute();
      }
      return { userId: id, userUuid: user_uuid, email };
    },
    async person(role?: Role): Promise<Person> {
      const account = await this.account(role);
      const { accessToken: token } = await client.login({ body: { email: account.email, password } });
      return { ...account, token };
    },
    async device(people: { owner: Person; viewer?: Person; former?: Person }): Promise<OwnedDevice> {
      const { owner, viewer, former } = people;
      const variant = await db
        .insertInto('hardware_variants')
        .values({ hardware_version: 'sim-1', hardware_variant: randomUUID() })
        .returning('id')
        .executeTakeFirstOrThrow();
      const device = await db
        .insertInto('devices')
        .values({
          device_uuid: randomUUID(),
          cpu_serial: randomBytes(8).toString('hex'),
          identity_key_hash: randomBytes(32).toString('hex'),
          hardware_variant_id: variant.id,
          life_cycle: 'ACTIVE',
        })
        .returning(['id', 'device_uuid'])
        .executeTakeFirstOrThrow();
      const assignments = [
        ...(former === undefined ? [] : [{ user_id: former.userId, number: 1, ended_at: new Date() }]),
        { user_id: owner.userId, number: 2, ended_at: null },
      ];
      const rows = await db
        .insertInto('assignments')
        .values(assignments.map((row) => ({ ...row, device_id: device.id })))
        .returning('id')
        .execute();
      const assignmentId = rows.at(-1)!.id;
      if (viewer !== undefined) {
        await db.insertInto('shares').values({ assignment_id: assignmentId, email: viewer.email }).execute();
      }
      const component = await db
        .insertInto('attached_components')
        .values((from) => ({
          device_id: device.id,
          assignment_id: assignmentId,
          component_type_id: from
            .selectFrom('supported_components')
            .select('id')
            .where('component_type', '=', 'pump'),
          pins: JSON.stringify({ line: 17 }),
          config: '{}',
        }))
        .returning('id')
        .executeTakeFirstOrThrow();
      return { deviceUuid: device.device_uuid, componentId: component.id };
    },
    async close() {
      await database.close();
      await cloud.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
