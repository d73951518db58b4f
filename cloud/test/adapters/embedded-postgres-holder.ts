/**
 * A process that starts the embedded server on the folder it is told, says how it went in one line of JSON, and
 * holds it until it is killed, or until its input ends. For tests that kill the process that owns the server.
 */
import { text } from 'node:stream/consumers';
import { EmbeddedPostgresError, startEmbeddedPostgres } from '../../src/adapters/embedded-postgres.ts';

try {
  const server = await startEmbeddedPostgres({ dataDir: process.argv[2]!, log: () => undefined });
  const { connection, pid } = server;
  console.log(JSON.stringify({ connection, pid }));
  await text(process.stdin);
  await server.stop();
} catch (error) {
  if (!(error instanceof EmbeddedPostgresError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
