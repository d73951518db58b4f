import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustFile } from '@ares/protocol';
import { type Client, createClient } from '@ares/protocol/http';
import pg from 'pg';
import { fetch } from 'undici';
import { startEmbeddedPostgres } from '../../cloud/src/adapters/embedded-postgres.ts';
import { openFileSecretStore } from '../../cloud/src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../cloud/src/adapters/local-certificate-authority.ts';
import { readTrustFile } from '../../cloud/src/compose.ts';
import { type Child, startChild } from '../../cloud/src/demo/child.ts';
import { eventually, freePort } from '../support/ares-process.ts';
import { root } from '../support/repository.ts';
import { staySignedIn } from '../support/signed-in.ts';
import { startBenchServices } from './bench-services.ts';

const cloudProgram = new URL('cloud/src/main.ts', `file://${root}`);

/** The cloud as `npm start` runs it, every role in one process, with its database in another. */
export interface BenchCloud {
  /** Folder of the cloud itself: secrets, authority. */
  readonly cloudHome: string;
  readonly url: string;
  readonly mqttPort: number;
  /** Where devices call the API. */
  readonly devicePort: number;
  readonly ownerEmail: string;
  readonly owner: Client;
  readonly admin: Client;
  readonly trust: TrustFile;
  readonly database: pg.Pool;
  /** Process ids that the work of the cloud is done in. */
  pids(): { readonly cloud: number; readonly database: number; readonly services: readonly number[] };
  /** What holds the secrets and signs certificates; the same files that the cloud uses. */
  openKeys(): Promise<CloudKeys>;
  /** Replaces the process of the cloud by another program that uses the same home and database. */
  replaceBy(program: URL, args: readonly string[]): Promise<Child>;
  stop(): Promise<void>;
}

type CloudKeys = {
  readonly secrets: Awaited<ReturnType<typeof openFileSecretStore>>;
  readonly authority: Awaited<ReturnType<typeof openLocalCertificateAuthority>>;
};

/**
 * @param options.profileDir where the process of the cloud writes a CPU profile when it ends
 * @param options.services with Mosquitto and Redis, instead of the broker and the state store that are built in
 */
export async function startBenchCloud(options: {
  readonly home: string;
  readonly profileDir?: string | undefined;
  readonly services?: boolean;
}): Promise<BenchCloud> {
  const { home, profileDir } = options;
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const server = await startEmbeddedPostgres({ dataDir: join(home, 'pg'), log: () => {} });
  const { connection } = server;
  const ports = { api: await freePort(), devices: await freePort(), mqtt: await freePort() };
  const url = `http://127.0.0.1:${ports.api}`;
  const services =
    options.services === true ? await startBenchServices({ home, mqttPort: ports.mqtt }) : undefined;
  const env = {
    ...services?.env,
    ARES_HOME: home,
    PORT: String(ports.api),
    ARES_DEVICE_PORT: String(ports.devices),
    ARES_MQTT_PORT: String(ports.mqtt),
    DATABASE_URL: `postgres://${connection.user}:${encodeURIComponent(connection.password)}@localhost:${connection.port}/${connection.database}?host=${encodeURIComponent(connection.host)}`,
    ARES_LOG_LEVEL: 'warn',
    // Under Vitest this process has no such option that a child could take over.
    NODE_OPTIONS: [
      '--conditions=@ares/source',
      ...(profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]),
    ].join(' '),
  };
  const logFile = join(home, 'cloud.log');
  let child = startChild({ program: cloudProgram, args: ['all'], logFile, env });
  const database = new pg.Pool({ ...connection, max: 2 });
  database.on('error', () => undefined);
  const stop = async () => {
    await child.stop(6_000);
    await database.end();
    await services?.stop();
    await server.stop();
  };
  try {
    await services?.ready();
    await eventually(`the cloud answers (${logFile})`, async () => (await status(url)) === 200, 60_000);
    return {
      cloudHome: join(home, 'cloud'),
      url,
      mqttPort: ports.mqtt,
      devicePort: ports.devices,
      ...(await makeAccounts(url, database)),
      trust: await readTrustFile(join(home, 'cloud')),
      database,
      pids: () => ({
        cloud: child.process.pid!,
        database: server.pid,
        services: services?.pids() ?? [],
      }),
      openKeys: () => openKeys(join(home, 'cloud')),
      async replaceBy(program, args) {
        await child.stop(6_000);
        child = startChild({ program, args, logFile, env, stdout: 'pipe' });
        return child;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeAccounts(url: string, database: pg.Pool) {
  const anonymous = createClient({ baseUrl: url, fetch });
  const password = 'correct horse battery';
  const ownerEmail = 'owner@example.org';
  const adminEmail = 'admin@example.org';
  const owner = await anonymous.register({ body: { email: ownerEmail, password } });
  await anonymous.register({ body: { email: adminEmail, password } });
  await database.query(
    `insert into user_roles (user_id, role_id)
     select u.id, r.id from users u, roles r where u.email = $1 and r.name = 'prime_admin'`,
    [adminEmail],
  );
  const admin = await anonymous.login({ body: { email: adminEmail, password } });
  return { ownerEmail, owner: staySignedIn(url, fetch, owner), admin: staySignedIn(url, fetch, admin) };
}

async function openKeys(cloudHome: string): Promise<CloudKeys> {
  const secrets = await openFileSecretStore({ dir: join(cloudHome, 'secrets') });
  const clock = { now: Date.now };
  const authority = await openLocalCertificateAuthority({
    secrets,
    clock,
    config: { dir: join(cloudHome, 'ca') },
  });
  return { secrets, authority };
}

async function status(url: string): Promise<number> {
  try {
    return (await fetch(`${url}/healthz`)).status;
  } catch {
    return 0;
  }
}
