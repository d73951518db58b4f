import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Schema } from '../database/schema.ts';
import type { BackupConnection } from '../ports/backup-connection.ts';
import { copyIn, copyOut } from './pg-copy.ts';
import type { PgConnection } from './pg-database.ts';

/** One session of PostgreSQL. Times, bytes and numbers are written the same whatever the server's settings are. */
export async function openBackupConnection(connection: PgConnection): Promise<BackupConnection> {
  const client = new pg.Client({
    ...connection,
    application_name: 'ares-backup',
    options:
      '-c datestyle=ISO -c timezone=UTC -c bytea_output=hex -c statement_timeout=0 -c client_encoding=UTF8',
  });
  client.on('error', () => undefined);
  await client.connect();
  const session = Object.assign(client, { release: () => undefined });
  const queries = new Kysely<Schema>({
    dialect: new PostgresDialect({
      pool: { connect: async () => session, end: async () => undefined } as unknown as pg.Pool,
    }),
  });
  return {
    queries,
    async transaction(kind, work) {
      await client.query(kind === 'write' ? 'begin' : 'begin isolation level repeatable read read only');
      try {
        const result = await work();
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch(() => undefined);
        throw error;
      }
    },
    copyOut: (sql) => copyOut(client, sql),
    copyIn: (sql, chunks) => copyIn(client, sql, chunks),
    close: () => client.end(),
  };
}
