import { createMemoryStateStore } from './adapters/memory-state-store.ts';
import { createCommandDispatch } from './commands/dispatch.ts';
import { createCommandResults } from './commands/results.ts';
import { commandRoutes } from './commands/routes.ts';
import { createCommandService } from './commands/service.ts';
import { createCommandWaiting } from './commands/waiting.ts';
import type { LiveParts } from './compose-api.ts';
import type { Foundation } from './compose-foundation.ts';
import { createAccessRepository } from './events/access-repository.ts';
import { eventRoutes } from './events/routes.ts';
import { createEventStreams } from './events/streams.ts';
import { createComponentsChangedPublisher } from './orders/components-changed.ts';
import type { BrokerLink } from './ports/broker-link.ts';
import type { SecurityReporter } from './ports/security-reporter.ts';
import { createPresence } from './presence/presence.ts';
import { createLiveState } from './state/live-state.ts';
import { createStateRepository } from './state/repository.ts';
import { stateRoutes } from './state/routes.ts';
import { createDeviceDirectory } from './telemetry/directory.ts';
import { createDirectoryRepository } from './telemetry/directory-repository.ts';
import { createIngest } from './telemetry/ingest.ts';
import { createTelemetryQueries } from './telemetry/query-service.ts';
import { telemetryRoutes } from './telemetry/routes.ts';

/** A device that says nothing for so long, and whose connection no broker holds, is TIMEOUT. */
const SILENT_MS = 90_000;
const PRESENCE_SWEEP_MS = 5_000;

/**
 * The parts that know live state: ingest, commands, streams. With the role `ingest` this process takes what devices
 * send; without it, it reads what others wrote.
 */
export async function startLiveParts(
  foundation: Foundation,
  broker: BrokerLink,
  security: SecurityReporter,
  stack: AsyncDisposableStack,
): Promise<LiveParts> {
  const { config, database, orders, clock, log, newUuid } = foundation;
  const store = createMemoryStateStore();
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
  if (config.roles.has('ingest')) await startIngest();

  const waiting = createCommandWaiting(database);
  stack.defer(() => waiting.close());
  const streams = createEventStreams({ state, access: createAccessRepository(database), database, log });
  stack.defer(() => streams.close());
  const commands = createCommandService({ database, orders, dispatch, waiting, clock, newUuid });
  return {
    broker,
    handlers: {
      ...stateRoutes(state),
      ...eventRoutes(streams),
      ...telemetryRoutes(createTelemetryQueries({ database, clock })),
      ...commandRoutes(commands),
    },
    componentsChanged: createComponentsChangedPublisher({
      database,
      link: broker,
      orders,
      clock,
      newUuid,
      log,
    }),
    stateStoreHealthy: () => store.healthy(),
  };

  async function startIngest(): Promise<void> {
    const { secrets, certificates, random } = foundation;
    // Secret, because a device that knew the name could take a share of everybody's readings.
    await secrets.create('ingest-group', Buffer.from(`ingest-${Buffer.from(random(16)).toString('hex')}`));
    const group = Buffer.from((await secrets.get('ingest-group'))!).toString();
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
      stored: ({ device, values, health, at }) =>
        state.take(device.deviceUuid, { values, health, seenAt: at }),
      handlers: ({ acknowledge, boots }) => ({
        connection: createPresence({
          state,
          boots,
          acknowledge,
          security,
          clock,
          log,
          currentCertificate: certificates.current,
          born: ({ deviceId }) => dispatch.resend(deviceId),
        }).handle,
        results: createCommandResults({ database, acknowledge, security, clock, log }).handle,
      }),
      config: { group },
    });
    stack.defer(() => ingest.close());
    const sweep = setInterval(() => {
      state
        .sweep(SILENT_MS)
        .catch((error: Error) => log.warn({ error: error.message }, 'the sweep of presence failed'));
    }, PRESENCE_SWEEP_MS);
    stack.defer(() => clearInterval(sweep));
  }
}
