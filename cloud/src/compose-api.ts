import { randomBytes } from 'node:crypto';
import { createSessionWatch } from './accounts/session-watch.ts';
import { auditRoutes } from './audit/routes.ts';
import { type Accounts, accountHandlers, createAccounts } from './compose-accounts.ts';
import { createDeviceHandlers } from './compose-devices.ts';
import { type Foundation, renewDaily } from './compose-foundation.ts';
import { createKeyHandlers } from './compose-keys.ts';
import { chooseRateLimiters } from './compose-redis.ts';
import { serverNames } from './compose-sessions.ts';
import { createChallenges } from './credentials/challenges.ts';
import { createRecoveryService } from './credentials/recovery-service.ts';
import { credentialsRoutes } from './credentials/routes.ts';
import { createCredentialsService } from './credentials/service.ts';
import { createSigningQueue } from './credentials/signing-queue.ts';
import { credentialsDefaults } from './credentials/types.ts';
import { docsAssets } from './docs/assets.ts';
import { createHttpApp, type StaticAssets } from './http/app.ts';
import type { Handlers } from './http/handlers.ts';
import type { HealthChecks } from './http/health.ts';
import { type DeviceTls, type HttpListener, listenDevices, listenPublic } from './http/listener.ts';
import { createPolicies } from './http/policies.ts';
import { createRateLimits, defaultLimits } from './http/rate-limits.ts';
import { serviceRoutes } from './http/service-routes.ts';
import { createIdempotency } from './idempotency/service.ts';
import { PanelMissingError, panelAssets } from './panel/assets.ts';
import type { BrokerLink } from './ports/broker-link.ts';
import type { ComponentsChangedPublisher } from './ports/components-changed.ts';
import type { SecretStore } from './ports/secret-store.ts';
import { createReceiptService } from './release/receipt-service.ts';
import { releaseRoutes } from './release/routes.ts';
import { createReleaseService } from './release/service.ts';
import { standingRoutes, timeRoutes } from './standing/routes.ts';
import { createStandingService } from './standing/service.ts';
import { VERSION } from './version.ts';

/** What the API needs from the parts that know live state and send orders. */
export interface LiveParts {
  readonly broker: BrokerLink;
  readonly handlers: Pick<
    Handlers,
    | 'state'
    | 'deviceEvents'
    | 'events'
    | 'telemetry'
    | 'quarantinedReadings'
    | 'sendCommand'
    | 'listCommands'
    | 'changeWifi'
    | 'appCertificate'
  >;
  readonly componentsChanged: ComponentsChangedPublisher;
  readonly health: HealthChecks;
}

/** Both HTTP listeners with every service behind them. @throws {ListenError} */
export async function startApiRole(
  foundation: Foundation,
  live: LiveParts,
  stack: AsyncDisposableStack,
): Promise<void> {
  const { config, ports, deviceApiUrl } = foundation;
  // One signal ends the streams of both listeners.
  const closing = new AbortController();
  const accounts = await createAccounts(foundation);
  const handlers = await createHandlers(foundation, live, accounts, closing.signal, stack);
  const sessions = createSessionWatch(foundation);
  stack.defer(() => sessions.close());
  const shared = {
    handlers: handlers.routes,
    policies: createPolicies({
      callerOf: accounts.service.callerOf,
      accessOf: handlers.devices.accessOf,
      historyAccessOf: handlers.devices.historyAccessOf,
      async deviceOf({ serial, commonName }) {
        const admitted = await foundation.certificates.admit({ serial, deviceUuid: commonName });
        return (
          admitted && {
            deviceId: admitted.deviceId,
            deviceUuid: admitted.deviceUuid,
            certificateSerial: admitted.serial,
          }
        );
      },
    }),
    limits: createRateLimits(defaultLimits, chooseRateLimiters(foundation.shared)),
    clock: foundation.clock,
    log: foundation.log,
    metrics: foundation.metrics,
    idempotency: createIdempotency(foundation),
    sessions,
  };

  const listeners: HttpListener[] = [];
  stack.defer(async () => void (await Promise.all(listeners.map((listener) => listener.close()))));
  const devices = await listenDevices(
    createHttpApp({
      ...shared,
      listener: 'device',
      closing: closing.signal,
      apiHosts: new Set([new URL(deviceApiUrl).host]),
    }),
    { host: config.devices.bind, port: ports.devices },
    await signDeviceTls(foundation),
    closing,
  );
  listeners.push(devices);
  renewDaily(foundation, stack, 'the certificate for devices', async () =>
    devices.setTls(await signDeviceTls(foundation)),
  );

  const people = await listenPublic(
    createHttpApp({
      ...shared,
      listener: 'public',
      closing: closing.signal,
      trustedProxies: new Set(config.api.trustedProxies),
      assets: await findAssets(foundation),
    }),
    config.api,
    closing,
  );
  listeners.push(people);
}

async function createHandlers(
  foundation: Foundation,
  live: LiveParts,
  accounts: Accounts,
  closing: AbortSignal,
  stack: AsyncDisposableStack,
) {
  const { database, clock, random, newUuid, log, orders, authority, secrets, certificates } = foundation;
  const challenges = createChallenges({ key: await challengeKey(secrets), clock, random });
  const { config, ports, deviceApiUrl } = foundation;
  const apiHosts = [new URL(deviceApiUrl).host];
  const common = { database, clock, random, newUuid, log, orders, challenges, apiHosts };

  const release = createReleaseService({ ...common, broker: live.broker });
  release.start();
  stack.defer(() => release.stop());
  const devices = createDeviceHandlers(foundation, { publisher: live.componentsChanged, release });
  const signing = createSigningQueue({ authority, clock });
  const credentials = createCredentialsService({
    ports: { ...common, authority, signing, secrets, certificates },
    config: {
      ...credentialsDefaults,
      ...(config.certificateMs !== undefined && { certificateMs: config.certificateMs }),
      apiHosts,
      mqtt: { host: config.mqtt.host, port: ports.mqtt },
    },
  });
  const routes: Handlers = {
    ...serviceRoutes({ health: live.health, closing, version: VERSION }),
    ...accountHandlers(foundation, accounts, release, stack),
    ...devices.routes,
    ...credentialsRoutes({
      challenges,
      credentials,
      recovery: createRecoveryService({ ...common, config: { deviceApiUrl } }),
    }),
    ...standingRoutes(createStandingService(common)),
    ...timeRoutes(orders),
    ...releaseRoutes({ release, receipts: createReceiptService({ ...common, release }) }),
    ...auditRoutes(database),
    ...createKeyHandlers(foundation),
    ...live.handlers,
  };
  return { routes, devices: devices.devices };
}

/** Without its files the cloud is still of use: the CLI and apps need no panel. */
async function findAssets({ log }: Foundation): Promise<StaticAssets> {
  const docs = await docsAssets();
  try {
    const panel = await panelAssets();
    return { lookup: (path) => panel.lookup(path) ?? docs.lookup(path) };
  } catch (error) {
    if (!(error instanceof PanelMissingError)) throw error;
    log.warn({ error: error.message }, 'there is no panel');
    return docs;
  }
}

/** Shared by all API processes: what one of them gave out, another one may be asked to take. */
async function challengeKey(secrets: SecretStore): Promise<Uint8Array> {
  await secrets.create('challenge-key', randomBytes(32));
  return (await secrets.get('challenge-key'))!;
}

async function signDeviceTls({ authority, config }: Foundation): Promise<DeviceTls> {
  const { keyPem, chainPem } = await authority.signServer({ names: serverNames(config.devices.host) });
  return { key: keyPem, chain: chainPem, root: authority.caCertificates.root };
}
