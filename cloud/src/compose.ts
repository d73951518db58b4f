import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { parseTrustFile, type TrustFile } from '@ares/protocol';
import type { RoleName } from './accounts/types.ts';
import { startPgBossScheduler } from './adapters/pg-boss-scheduler.ts';
import { createAuditChain } from './audit/chain.ts';
import { auditChainJob } from './audit/job.ts';
import { auditKey } from './audit/key.ts';
import { createComponentService } from './components/service.ts';
import { createAccounts, startPostman } from './compose-accounts.ts';
import { startApiRole } from './compose-api.ts';
import { openBroker } from './compose-broker.ts';
import { layFoundation, trustFilePath } from './compose-foundation.ts';
import { createLiveBase, createLiveParts, startIngestRole } from './compose-live.ts';
import type { CloudConfig } from './config.ts';
import { isDatabaseAway } from './database/database-away.ts';
import type { HealthChecks } from './http/health.ts';
import { createInternalApp } from './http/internal-app.ts';
import { listenPublic } from './http/listener.ts';
import { housekeepingJobs } from './jobs/housekeeping.ts';
import { telemetryJobs } from './jobs/telemetry-jobs.ts';
import { createSecurityMonitor } from './security/monitor.ts';
import { createSecurityRepository } from './security/repository.ts';

const START_WITHIN_MS = 20_000;
const START_AGAIN_MS = 500;

/** A running cloud, or the part of one that this process is. */
export interface Cloud {
  /** Where people and apps reach the API. */
  readonly publicUrl: string;
  /** Where devices reach theirs. */
  readonly deviceApiUrl: string;
  readonly mqtt: { readonly host: string; readonly port: number };
  /** What a device must be given at the factory. */
  readonly trustFile: TrustFile;
  /** Afterwards the account exists with this password and at least these roles. */
  ensureAccount(account: {
    readonly email: string;
    readonly password: string;
    readonly roles: readonly RoleName[];
  }): Promise<{ readonly userUuid: string; readonly email: string }>;
  /** Resolves with a sentence when a part cannot be kept running. */
  failed(): Promise<string>;
  /** Drains in the order HTTP, ingest, broker, database. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Builds every adapter and starts the roles of this process; the only place that chooses implementations.
 * When a part does not start, what was started is closed again and nothing is damaged.
 * @throws {PortError | ListenError | EmbeddedPostgresError | SecretStoreError | CertificateAuthorityError | BrokerLinkError}
 */
export async function composeCloud(config: CloudConfig): Promise<Cloud> {
  const deadline = performance.now() + START_WITHIN_MS;
  for (;;) {
    // Closes in reverse: what is deferred first is what everything else stands on.
    const stack = new AsyncDisposableStack();
    try {
      return await start(config, stack);
    } catch (error) {
      await stack.disposeAsync();
      // It was there a moment ago: a database that restarts while we start must not need a second start of ours.
      if (!isDatabaseAway(error) || performance.now() > deadline) throw error;
      await wait(START_AGAIN_MS);
    }
  }
}

async function start(config: CloudConfig, stack: AsyncDisposableStack): Promise<Cloud> {
  const foundation = await layFoundation(config, stack);
  const { database, clock, log, connection } = foundation;
  const { roles } = config;
  await createComponentService({
    database,
    clock,
    publisher: { publish: async () => undefined },
  }).seedCatalogue();

  const security = createSecurityMonitor({ repository: createSecurityRepository(database), clock, log });
  stack.defer(() => security.close());
  const broker = await openBroker(foundation, security, stack);
  const closing = new AbortController();
  let health: HealthChecks = { database: () => database.healthy() };
  if (broker !== undefined) health = { ...health, broker: broker.connected };
  if (broker?.link !== undefined && (roles.has('ingest') || roles.has('api'))) {
    const base = { ...(await createLiveBase(foundation, broker.link, stack)), broker: broker.link, security };
    health = { ...health, stateStore: () => base.store.healthy() };
    if (roles.has('ingest')) await startIngestRole(foundation, base, stack);
    if (roles.has('api'))
      await startApiRole(foundation, await createLiveParts(foundation, base, stack), stack);
  }
  if (roles.has('jobs')) {
    const chain = createAuditChain({ database, key: await auditKey(foundation.secrets) });
    const jobs = [
      ...housekeepingJobs({ database, clock }),
      ...telemetryJobs({ database, storage: foundation.readingStorage, clock, log }),
      auditChainJob({ chain, log }),
    ];
    const scheduler = await startPgBossScheduler({ connection, jobs, log });
    stack.defer(() => scheduler.close());
    await startPostman(foundation, stack);
  }
  if (config.internal !== undefined) {
    const app = createInternalApp({ health, metrics: foundation.metrics, closing: closing.signal, log });
    const at = { host: config.internal.bind, port: config.internal.port };
    const listener = await listenPublic(app, at, closing);
    stack.defer(() => listener.close());
  }
  log.info({ roles: [...roles], deviceApiUrl: foundation.deviceApiUrl }, 'started');

  const accounts = await createAccounts(foundation);
  const listening = config.api.host === '0.0.0.0' ? '127.0.0.1' : config.api.host;
  let closed: Promise<void> | undefined;
  return {
    publicUrl: `http://${listening}:${config.api.port}`,
    deviceApiUrl: foundation.deviceApiUrl,
    mqtt: { host: config.mqtt.host, port: foundation.ports.mqtt },
    trustFile: foundation.trustFile,
    ensureAccount: (account) => accounts.service.ensureAccount(account),
    failed: () => foundation.failed,
    close() {
      closed ??= stack.disposeAsync().then(() => log.info({}, 'closed'));
      return closed;
    },
  };
}

/**
 * The trust file of the cloud in a folder, for who makes devices without a running cloud at hand.
 * @param home the cloud's own folder
 */
export async function readTrustFile(home: string): Promise<TrustFile> {
  const parsed = parseTrustFile(JSON.parse(await readFile(trustFilePath(home), 'utf8')));
  if (!parsed.ok) throw new Error(`${trustFilePath(home)} is no trust file.`);
  return parsed.value;
}
