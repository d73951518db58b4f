import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { inject } from 'vitest';
import type { PostgresConnection } from '../../cloud/src/adapters/embedded-postgres.ts';

type Answer =
  | { connection: PostgresConnection; error?: undefined }
  | { connection?: undefined; error: string };

/** A database that is prepared once per run and copied for each caller, for instance with all migrations done. */
export type Template = {
  readonly name: string;
  /** Must have closed its connections when it resolves. */
  readonly prepare: (connection: PostgresConnection) => Promise<void>;
};

/**
 * A fresh database of its own on the real PostgreSQL that all tests of this run share (started when first asked
 * for, about 0.7 s; each database after that about 50 ms). Nothing has to be given back.
 */
export async function usePostgres(template?: Template): Promise<PostgresConnection> {
  const connection = await sharedServer();
  const name = `t_${randomBytes(8).toString('hex')}`;
  const client = new pg.Client(connection);
  await client.connect();
  try {
    if (template) await prepareOnce(client, connection, template);
    const from = template ? ` TEMPLATE ${client.escapeIdentifier(template.name)}` : '';
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}${from}`);
  } finally {
    await client.end();
  }
  return { ...connection, database: name };
}

async function sharedServer(): Promise<PostgresConnection> {
  const answer = JSON.parse(await text(connect(inject('postgresDoor')))) as Answer;
  if (answer.connection === undefined)
    throw new Error(`The PostgreSQL of the tests did not start: ${answer.error}`);
  return answer.connection;
}

/** Test files run in several processes: the first prepares, the others wait for it. */
async function prepareOnce(client: pg.Client, server: PostgresConnection, template: Template): Promise<void> {
  await client.query('SELECT pg_advisory_lock(hashtext($1))', [template.name]);
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [template.name]);
    if (rowCount) return;
    // Prepared under another name: one that fails half-way is never copied.
    const draft = `${template.name}_${randomBytes(4).toString('hex')}`;
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(draft)}`);
    await template.prepare({ ...server, database: draft });
    await client.query(
      `ALTER DATABASE ${client.escapeIdentifier(draft)} RENAME TO ${client.escapeIdentifier(template.name)}`,
    );
  } finally {
    await client.query('SELECT pg_advisory_unlock(hashtext($1))', [template.name]);
  }
}
