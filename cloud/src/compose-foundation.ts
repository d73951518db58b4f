import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { TrustFile } from '@ares/protocol';
import { preparePrivateFolder, writeDurably } from './adapters/durable-file.ts';
import { openFileSecretStore } from './adapters/file-secret-store.ts';
import { assertFree, type KeptPorts, keepPorts } from './adapters/kept-ports.ts';
import { openLocalCertificateAuthority } from './adapters/local-certificate-authority.ts';
import { createPartitionStorage } from './adapters/partition-storage.ts';
import { openPgDatabase, type PgConnection } from './adapters/pg-database.ts';
import { createPinoLogger } from './adapters/pino-logger.ts';
import { createPromMetrics } from './adapters/prom-metrics.ts';
import { superviseEmbeddedPostgres } from './adapters/supervised-postgres.ts';
import { systemClock } from './adapters/system-clock.ts';
import { openTimescaleStorage } from './adapters/timescale-storage.ts';
import { openSharedMemory, type SharedMemory } from './compose-redis.ts';
import { type CloudConfig, ConfigError } from './config.ts';
import { parseDatabaseUrl } from './database/database-url.ts';
import { migrate } from './database/migrate.ts';
import { createOrderSigner, type OrderSigner } from './orders/order-signer.ts';
import { type CertificateStatus, createCertificateStatus } from './pki/certificate-status.ts';
import type { CertificateAuthority } from './ports/certificate-authority.ts';
import type { Clock } from './ports/clock.ts';
import type { CloudDatabase } from './ports/database.ts';
import type { Logger } from './ports/logger.ts';
import type { Metrics } from './ports/metrics.ts';
import type { RandomBytes } from './ports/random.ts';
import type { ReadingStorage } from './ports/reading-storage.ts';
import type { SecretStore } from './ports/secret-store.ts';
import { defaultRetention, type Retention } from './telemetry/retention.ts';

const DATABASE_WITHIN_MS = 20_000;
const DATABASE_AGAIN_MS = 200;
const DAY_MS = 86_400_000;

/** What every role stands on. */
export interface Foundation {
  readonly config: CloudConfig;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly newUuid: () => string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly connection: PgConnection;
  readonly database: CloudDatabase;
  readonly retention: Retention;
  readonly readingStorage: ReadingStorage;
  readonly secrets: SecretStore;
  readonly authority: CertificateAuthority;
  readonly certificates: CertificateStatus;
  readonly orders: OrderSigner;
  /** Redis, where there is one: live state and limits of all processes. */
  readonly shared: SharedMemory | undefined;
  /** Ports of the listeners for devices and of the broker. */
  readonly ports: KeptPorts;
  /** `https://host:port` for devices. */
  readonly deviceApiUrl: string;
  readonly trustFile: TrustFile;
  /** Drawn once for this installation. */
  readonly installationId: string;
  /** Resolves with a sentence when a part cannot be kept running. */
  readonly failed: Promise<string>;
}

/**
 * Opens folder, ports, database, secrets and authority, and brings the tables up to date. What was opened is left
 * on `stack`, which closes it in reverse order.
 * @throws {PortError | EmbeddedPostgresError | SecretStoreError | CertificateAuthorityError}
 */
export async function layFoundation(config: CloudConfig, stack: AsyncDisposableStack): Promise<Foundation> {
  const { home, roles } = config;
  await preparePrivateFolder(home);
  const log = createPinoLogger({ ...config.log, role: [...roles].join(',') });
  const kept = await keepPorts(home);
  const ports: KeptPorts = {
    devices: config.devices.port ?? kept.devices,
    mqtt: config.mqtt.port ?? kept.mqtt,
  };
  // Asked first, so that a second start beside a running one touches nothing.
  if (roles.has('api')) {
    await assertFree(config.api.host, config.api.port, 'API');
    await assertFree(config.devices.bind, ports.devices, 'devices');
  }
  if (roles.has('broker') && config.mosquitto === undefined)
    await assertFree(config.mqtt.bind, ports.mqtt, 'MQTT');

  const { connection, failed } = await openServer(config, log, stack);
  const secrets = await openFileSecretStore({
    dir: join(home, 'secrets'),
    ...(config.keyFile !== undefined && { keyFile: config.keyFile }),
  });
  const clock = systemClock;
  const authority = await openLocalCertificateAuthority({
    secrets,
    clock,
    config: { dir: join(home, 'ca') },
  });
  const database = openPgDatabase({ connection, log });
  stack.defer(() => database.close());
  await untilAnswering(database, log);
  const migrated = await migrate(database.db);
  if (migrated.length > 0) log.info({ migrated }, 'brought the tables up to date');
  const retention = config.retention ?? defaultRetention;
  const readingStorage =
    (await openTimescaleStorage({ database, retention, log })) ??
    createPartitionStorage({ database, retention });
  await readingStorage.ensure(clock.now());

  const installation = await installationId(secrets);
  const orders = createOrderSigner({ key: await secrets.keyPair('command-signing'), clock });
  const trustFile: TrustFile = {
    v: 1,
    caCertificates: [authority.caCertificates.root],
    commandKeys: { keys: [...orders.publicJwks().keys] },
    tufRoot: null,
  };
  await writeDurably(trustFilePath(home), `${JSON.stringify(trustFile, null, 2)}\n`);
  return {
    config,
    clock,
    random: randomBytes,
    newUuid: randomUUID,
    log,
    metrics: createPromMetrics(),
    connection,
    database,
    retention,
    readingStorage,
    secrets,
    authority,
    certificates: createCertificateStatus({ database, clock }),
    orders,
    ports,
    deviceApiUrl: `https://${config.devices.host}:${ports.devices}`,
    trustFile,
    installationId: installation,
    shared: await openSharedMemory(config, installation, log, stack),
    failed,
  };
}

/** Certificates of the cloud's own parts live for 30 days; each is replaced daily, so a month may go wrong. */
export function renewDaily(
  { log }: Pick<Foundation, 'log'>,
  stack: AsyncDisposableStack,
  what: string,
  renew: () => Promise<void>,
): void {
  const timer = setInterval(() => {
    renew().catch((error: Error) => log.error({ error: error.message }, `${what} was not renewed`));
  }, DAY_MS).unref();
  stack.defer(() => clearInterval(timer));
}

/** Where the trust file of this cloud lies; nothing in it is secret. */
export function trustFilePath(home: string): string {
  return join(home, 'trust.json');
}

async function openServer(
  config: CloudConfig,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<{ connection: PgConnection; failed: Promise<string> }> {
  if (config.databaseUrl !== undefined) {
    return { connection: await connectionOf(config.databaseUrl), failed: new Promise(() => undefined) };
  }
  const server = await superviseEmbeddedPostgres({ dataDir: join(config.home, 'database'), log });
  stack.defer(() => server.stop());
  return server;
}

/** A database that starts at the same time, or recovers, is waited for. */
export async function untilAnswering(database: CloudDatabase, log: Logger): Promise<void> {
  const deadline = performance.now() + DATABASE_WITHIN_MS;
  for (let attempt = 0; !(await database.healthy()); attempt += 1) {
    if (performance.now() > deadline) return;
    if (attempt === 0) log.warn({}, 'waiting for the database');
    await wait(DATABASE_AGAIN_MS);
  }
}

/** @throws {ConfigError} when the root certificate that it names cannot be read */
export async function connectionOf(databaseUrl: string): Promise<PgConnection> {
  const { tls, ...connection } = parseDatabaseUrl(databaseUrl);
  if (tls?.rootFile === undefined)
    return { ...connection, ...(tls && { ssl: { rejectUnauthorized: true } }) };
  try {
    return { ...connection, ssl: { rejectUnauthorized: true, ca: await readFile(tls.rootFile, 'utf8') } };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new ConfigError(`sslrootcert of DATABASE_URL cannot be read: ${reason}`, { cause });
  }
}

async function installationId(secrets: SecretStore): Promise<string> {
  await secrets.create('installation-id', Buffer.from(randomUUID()));
  return Buffer.from((await secrets.get('installation-id'))!).toString();
}
