// The embedded PostgreSQL as a process of its own, for several processes of the cloud. Ends with SIGTERM.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../cloud/src/adapters/embedded-postgres.ts';

const home = process.argv[2]!;
const urlFile = join(home, 'database.url');
const server = await startEmbeddedPostgres({
  dataDir: join(home, 'database'),
  log: (line) => console.log(line),
});
const { user, password, host, port, database } = server.connection;
const url = new URL(`postgres://localhost:${port}/${database}`);
url.username = user;
url.password = password;
url.searchParams.set('host', host);
writeFileSync(urlFile, url.href, { mode: 0o600 });
const stopped = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
await Promise.race([stopped, server.exited]);
rmSync(urlFile, { force: true });
await server.stop();
