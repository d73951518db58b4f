import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustFile } from '@ares/protocol';
import { type Client, createClient } from '@ares/protocol/http';
import pg from 'pg';
import { fetch } from 'undici';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../cloud/src/adapters/embedded-postgres.ts';
import { openFileSecretStore } from '../../cloud/src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../cloud/src/adapters/local-certificate-authority.ts';
import { openMqttBrokerLink } from '../../cloud/src/adapters/mqtt-broker-link.ts';
import { readTrustFile } from '../../cloud/src/compose.ts';
import { servicePassword } from '../../cloud/src/compose-mosquitto.ts';
import { type Child, startChild } from '../../cloud/src/demo/child.ts';
import { eventually, freePort } from './ares-process.ts';
import { type MosquittoServer, mosquittoPlugin, startMosquittoServer } from './mosquitto-server.ts';
import { root } from './repository.ts';
import { staySignedIn } from './signed-in.ts';

const cloudProgram = new URL('cloud/src/main.ts', `file://${root}`);

export const cloudRoles = ['broker', 'ingest', 'api', 'jobs'] as const;
export type CloudRole = (typeof cloudRoles)[number];
export type ClusterPart = CloudRole | 'database' | 'mosquitto';

export interface ServiceConnection {
  publish(topic: string, payload: string): Promise<void>;
  close(): Promise<void>;
}

/** A process of the cloud beside the first of its role. */
export interface Replica {
  /** SIGTERM; resolves with what it ended by. */
  end(): Promise<string>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** The cloud as several processes on this machine, each of which can be killed and started again. */
export interface Cluster {
  readonly home: string;
  readonly url: string;
  /** Settings of its processes, for programs on the same machine. */
  readonly environment: Readonly<Record<string, string>>;
  readonly trust: TrustFile;
  readonly admin: Client;
  readonly owner: Client;
  sql<T extends object>(text: string, values?: readonly unknown[]): Promise<T[]>;
  /** Processes that ended without being told to: always a fault of the product. */
  readonly deaths: readonly string[];
  /** Connects to the broker with the rights of a part of the cloud, as a compromised broker could act. */
  connectService(name: string): Promise<ServiceConnection>;
  /** A further process of a role, beside the one that is there. */
  startReplica(role: CloudRole, name: string, settings?: Readonly<Record<string, string>>): Replica;
  /** SIGKILL. */
  kill(part: ClusterPart): Promise<void>;
  start(part: ClusterPart): Promise<void>;
  stop(): Promise<void>;
}

/**
 * @param settings further settings of the cloud, as environment
 * @param broker `mosquitto`: the role `broker` directs a Mosquitto in a process of its own, the part `mosquitto`
 */
export async function startCluster(
  home: string,
  settings: Readonly<Record<string, string>> = {},
  broker: 'aedes' | 'mosquitto' = 'aedes',
): Promise<Cluster> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const services = broker === 'mosquitto' ? await freePort() : undefined;
  let mosquitto: MosquittoServer | undefined;
  const portOf = async (name: string) => Number(settings[name] ?? (await freePort()));
  const ports = {
    api: await portOf('PORT'),
    devices: await portOf('ARES_DEVICE_PORT'),
    mqtt: await portOf('ARES_MQTT_PORT'),
  };
  const url = `http://127.0.0.1:${ports.api}`;
  let database: EmbeddedPostgres | undefined;
  const children = new Map<string, Child>();

  const startDatabase = async () => {
    database = await startEmbeddedPostgres({ dataDir: join(home, 'pg'), log: () => {} });
    return database.connection;
  };
  const connection = await startDatabase();
  const databaseUrl = `postgres://${connection.user}:${encodeURIComponent(connection.password)}@localhost:${connection.port}/${connection.database}?host=${encodeURIComponent(connection.host)}`;
  const environment = {
    ARES_HOME: home,
    PORT: String(ports.api),
    ARES_DEVICE_PORT: String(ports.devices),
    ARES_MQTT_PORT: String(ports.mqtt),
    DATABASE_URL: databaseUrl,
    ARES_LOG_LEVEL: 'info',
    ...(services !== undefined && {
      ARES_BROKER: 'mosquitto',
      ARES_MOSQUITTO_SERVICE_PORT: String(services),
      ARES_MOSQUITTO_PLUGIN: mosquittoPlugin(),
    }),
    ...settings,
  };
  const deaths: string[] = [];
  const startRole = (role: CloudRole, name: string = role, more: Readonly<Record<string, string>> = {}) => {
    const logFile = join(home, `${name}.log`);
    const env = { ...environment, ...more };
    const child = startChild({ program: cloudProgram, args: [role], logFile, env });
    children.set(name, child);
    void child.exited.then((how) => {
      if (children.get(name) === child) deaths.push(`${name} ended by itself (${how}); see ${logFile}`);
    });
    return child;
  };
  const sql = async <T extends object>(text: string, values: readonly unknown[] = []): Promise<T[]> => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    try {
      return (await client.query(text, [...values])).rows as T[];
    } finally {
      await client.end();
    }
  };
  const healthy = async () => {
    let last = 'no answer';
    const isWell = async () => {
      const answer = await fetch(`${url}/healthz`).catch(() => undefined);
      last = (await answer?.text()) ?? 'no answer';
      return answer?.status === 200;
    };
    await eventually('the API is well', isWell, 60_000).catch((error: Error) => {
      throw new Error(`${error.message}: ${last}`);
    });
  };

  // One after another at first: the first makes tables, authority and keys.
  startRole('api');
  await eventually(
    'the API listens',
    async () => {
      try {
        return (await fetch(`${url}/healthz`)).status > 0;
      } catch {
        return false;
      }
    },
    60_000,
  );
  for (const role of ['broker', 'ingest', 'jobs'] as const) startRole(role);
  if (services !== undefined) {
    const folder = join(home, 'cloud', 'mosquitto');
    // The last of what it needs.
    await eventually('the files of Mosquitto are there', () => existsSync(join(folder, 'service-passwords')));
    mosquitto = await startMosquittoServer(folder, ports.mqtt);
  }
  await healthy();

  const anonymous = createClient({ baseUrl: url, fetch });
  const password = 'correct horse battery';
  const owner = await anonymous.register({ body: { email: 'owner+greenhouse@example.org', password } });
  await anonymous.register({ body: { email: 'admin@example.org', password } });
  await sql(
    `insert into user_roles (user_id, role_id) select u.id, r.id from users u, roles r
     where u.email = 'admin@example.org' and r.name = 'prime_admin'`,
  );
  const admin = await anonymous.login({ body: { email: 'admin@example.org', password } });

  return {
    home,
    url,
    environment,
    owner: staySignedIn(url, fetch, owner),
    admin: staySignedIn(url, fetch, admin),
    trust: await readTrustFile(join(home, 'cloud')),
    sql,
    deaths,
    async connectService(commonName) {
      const secrets = await openFileSecretStore({ dir: join(home, 'cloud', 'secrets') });
      const authority = await openLocalCertificateAuthority({
        secrets,
        clock: { now: Date.now },
        config: { dir: join(home, 'cloud', 'ca') },
      });
      const { keyPem, chainPem } = await authority.signService({ commonName });
      const link = await openMqttBrokerLink({
        config: {
          host: '127.0.0.1',
          port: services ?? ports.mqtt,
          ...(services !== undefined && { password: await servicePassword(secrets, commonName) }),
          commonName,
          keyPem,
          chainPem,
          rootPem: authority.caCertificates.root,
        },
        log: { debug() {}, info() {}, warn() {}, error() {} },
      });
      return { publish: (topic, payload) => link.publish(topic, payload), close: () => link.close() };
    },
    startReplica(role, name, more) {
      const child = startRole(role, name, more);
      const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
        if (children.get(name) === child) children.delete(name);
        child.process.kill(signal);
        return child.exited;
      };
      return { end: () => end('SIGTERM'), kill: async () => void (await end('SIGKILL')) };
    },
    async kill(part) {
      if (part === 'database') {
        if (database === undefined) return;
        process.kill(database.pid, 'SIGKILL');
        await database.exited;
        database = undefined;
        return;
      }
      if (part === 'mosquitto') {
        await mosquitto?.kill();
        return;
      }
      const child = children.get(part);
      children.delete(part);
      child?.process.kill('SIGKILL');
      await child?.exited;
    },
    async start(part) {
      if (part === 'database') await startDatabase();
      else if (part === 'mosquitto') await mosquitto?.start();
      else startRole(part);
    },
    async stop() {
      const running = [...children.values()];
      children.clear();
      await Promise.all(running.map((child) => child.stop(5_000)));
      await mosquitto?.stop();
      await database?.stop();
    },
  };
}
