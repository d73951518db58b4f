import { randomBytes } from 'node:crypto';
import { type CommandDispatch, createCommandDispatch } from './commands/dispatch.ts';
import { createCommandResults } from './commands/results.ts';
import { commandRoutes } from './commands/routes.ts';
import { createCommandService } from './commands/service.ts';
import { createCommandWaiting } from './commands/waiting.ts';
import { createWifiChangeService } from './commands/wifi-change.ts';
import type { LiveParts } from './compose-api.ts';
import { createApps } from './compose-apps.ts';
import type { Foundation } from './compose-foundation.ts';
import { chooseStateStore } from './compose-redis.ts';
import { createAccessRepository } from './events/access-repository.ts';
import { eventRoutes } from './events/routes.ts';
import { createEventStreams } from './events/streams.ts';
import { createComponentsChangedPublisher } from './orders/components-changed.ts';
import type { BrokerLink } from './ports/broker-link.ts';
import type { Metrics } from './ports/metrics.ts';
import type { SecretStore } from './ports/secret-store.ts';
import type { SecurityReporter } from './ports/security-reporter.ts';
import { createPresence } from './presence/presence.ts';
import { createLiveState, type LiveState } from './state/live-state.ts';
import { createStateRepository } from './state/repository.ts';
import { stateRoutes } from './state/routes.ts';
import type { BatchConfig } from './telemetry/batch-writer.ts';
import { createDeviceDirectory } from './telemetry/directory.ts';
import { createDirectoryRepository } from './telemetry/directory-repository.ts';
import { createIngest, type Ingest } from './telemetry/ingest.ts';
import { quarantineRoutes } from './telemetry/quarantine.ts';
import { createTelemetryQueries } from './telemetry/query-service.ts';
import { DAY_MS } from './telemetry/retention.ts';
import { telemetryRoutes } from './telemetry/routes.ts';

/** A device is asked for a sign of life about every 20 s by the broker; without one for so long it is `TIMEOUT`. */
const SILENT_MS = 60_000;
const SWEEP_MS = 2_000;

/** What API and ingest share in one process, and each has for itself in two. */
export interface LiveBase {
  readonly state: LiveState;
  readonly store: { healthy(): Promise<boolean> };
  readonly dispatch: CommandDispatch;
}

export async function createLiveBase(
  foundation: Foundation,
  broker: BrokerLink,
  stack: AsyncDisposableStack,
): Promise<LiveBase> {
  const { config, database, clock, log, shared } = foundation;
  const store = chooseStateStore(config, shared);
  const state = await createLiveState({
    store,
    repository: createStateRepository(database),
    database,
    clock,
    log,
    role: config.roles.has('ingest') ? 'writer' : 'reader',
  });
  stack.defer(() => state.close());
  const dispatch = createCommandDispatch({ database, link: broker, clock, log });
  stack.defer(() => dispatch.close());
  return { state, store, dispatch };
}

/** Takes what devices send: readings, results, births and wills. */
export async function startIngestRole(
  foundation: Foundation,
  parts: LiveBase & {
    readonly broker: BrokerLink;
    readonly security: SecurityReporter;
    /** Other than the product's only to be held against it. */
    readonly batch?: Partial<BatchConfig>;
  },
  stack: AsyncDisposableStack,
): Promise<void> {
  const { database, secrets, clock, log, metrics, certificates } = foundation;
  const { state, dispatch, broker, security, batch = {} } = parts;
  const directory = createDeviceDirectory({
    repository: createDirectoryRepository(database),
    database,
    secrets,
    clock,
  });
  stack.defer(() => directory.close());
  const ingest = await createIngest({
    link: broker,
    database,
    directory,
    security,
    clock,
    log,
    stored: ({ device, values, health, at }) => state.take(device.deviceUuid, { values, health, seenAt: at }),
    handlers: ({ acknowledge, boots }) => {
      const common = { database, acknowledge, security, clock, log };
      return {
        connection: createPresence({
          ...common,
          state,
          boots,
          currentCertificate: (serial) => certificates.current(serial),
          born: ({ deviceId }) => dispatch.resend(deviceId),
        }).handle,
        results: createCommandResults(common).handle,
      };
    },
    config: {
      group: await secretGroup(secrets, 'ingest'),
      batch,
      rawWindowMs: foundation.retention.rawDays * DAY_MS,
    },
  });
  stack.defer(() => ingest.close());
  showIngest(metrics, ingest);
  const sweep = setInterval(() => {
    state
      .sweep(SILENT_MS)
      .catch((error: Error) => log.warn({ error: error.message }, 'silent devices were not looked for'));
  }, SWEEP_MS);
  stack.defer(() => clearInterval(sweep));
}

function showIngest(metrics: Metrics, { counters, buffered }: Ingest): void {
  const count = (name: `ares_${string}`, help: string, read: () => number) =>
    metrics.show({ name, help, type: 'counter', read });
  count('ares_readings_received_total', 'Readings in authentic messages', () => counters.received);
  count('ares_readings_stored_total', 'Readings acknowledged as stored', () => counters.stored);
  count('ares_readings_rejected_total', 'Readings refused by name', () => counters.rejected);
  count('ares_readings_shed_total', 'Readings left to the devices, as too many waited', () => counters.shed);
  count('ares_messages_not_authentic_total', 'Messages whose proof failed', () => counters.notAuthentic);
  metrics.show({
    name: 'ares_readings_waiting',
    help: 'Readings that wait for the database',
    type: 'gauge',
    read: buffered,
  });
}

/** What the API needs to show live state and to send orders. */
export async function createLiveParts(
  foundation: Foundation,
  parts: LiveBase & { readonly broker: BrokerLink },
  stack: AsyncDisposableStack,
): Promise<LiveParts> {
  const { database, retention, clock, log, orders, newUuid, secrets } = foundation;
  const { state, store, dispatch, broker } = parts;
  const streams = createEventStreams({ state, access: createAccessRepository(database), database, log });
  stack.defer(() => streams.close());
  const waiting = createCommandWaiting(database);
  stack.defer(() => waiting.close());
  const sending = { database, orders, dispatch, waiting, clock, newUuid };
  const commands = createCommandService(sending);
  const wifiChanges = createWifiChangeService({ ...sending, secrets });
  return {
    broker,
    handlers: {
      ...stateRoutes(state),
      ...eventRoutes(streams),
      ...telemetryRoutes(createTelemetryQueries({ database, clock, retention })),
      ...quarantineRoutes(database),
      ...commandRoutes(commands, wifiChanges),
      ...(await createApps(foundation, { broker, state, group: await secretGroup(secrets, 'api') }, stack)),
    },
    componentsChanged: createComponentsChangedPublisher({
      database,
      link: broker,
      orders,
      clock,
      newUuid,
      log,
    }),
    health: {
      database: () => database.healthy(),
      broker: () => broker.connected(),
      stateStore: () => store.healthy(),
    },
  };
}

/**
 * Name of the group whose members share what comes: 128 secret bits, as any device that knew it could join and take
 * its share.
 */
async function secretGroup(secrets: SecretStore, part: 'ingest' | 'api'): Promise<string> {
  const name = `${part}-group`;
  await secrets.create(name, Buffer.from(`${part}-${randomBytes(16).toString('hex')}`));
  return Buffer.from((await secrets.get(name))!).toString();
}
