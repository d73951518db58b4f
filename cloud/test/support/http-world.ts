import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, contract, createClient, type Route, type RouteId } from '@ares/protocol/http';
import { fetch } from 'undici';
import { administrationRoutes } from '../../src/accounts/administration-routes.ts';
import { accountRepository } from '../../src/accounts/repository.ts';
import { accountRoutes } from '../../src/accounts/routes.ts';
import type { RoleName } from '../../src/accounts/types.ts';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import { memoryRateLimiters } from '../../src/adapters/memory-rate-limiters.ts';
import { createDeviceHandlers } from '../../src/compose-devices.ts';
import { createHttpApp } from '../../src/http/app.ts';
import type { Handlers, RequestContext } from '../../src/http/handlers.ts';
import { type ListenerTimes, listenPublic } from '../../src/http/listener.ts';
import { createPolicies } from '../../src/http/policies.ts';
import { createRateLimits, defaultLimits, type LimitConfig } from '../../src/http/rate-limits.ts';
import { serviceRoutes } from '../../src/http/service-routes.ts';
import { createIdempotency } from '../../src/idempotency/service.ts';
import type { Logger } from '../../src/ports/logger.ts';
import { type AccountsOptions, createAccountsWorld } from './accounts-world.ts';
import { useCloudDatabase } from './database.ts';
import { fakeClock, silentLogger } from './quiet.ts';

/** High enough that a test meets a limit only when it sets one. */
const noLimits = Object.fromEntries(
  Object.keys(defaultLimits).map((name) => [name, { points: 1_000_000, seconds: 1 }]),
) as unknown as LimitConfig;

export type HttpWorld = Awaited<ReturnType<typeof httpWorld>>;

/**
 * The public listener on a real database with real accounts, devices and components. Routes of other features
 * are answered by `handlers`, or note their call and answer 500.
 */
export async function httpWorld(
  options: {
    readonly handlers?: Partial<Handlers>;
    /** Nothing but the service's own routes has a handler: what is reached was let through. */
    readonly policiesOnly?: boolean;
    readonly limits?: Partial<LimitConfig>;
    readonly accounts?: AccountsOptions;
    readonly times?: ListenerTimes;
    readonly trustedProxies?: ReadonlySet<string>;
    readonly log?: Logger;
  } = {},
) {
  const clock = fakeClock();
  const log = options.log ?? silentLogger;
  const database = await useCloudDatabase();
  const secrets = await openFileSecretStore({ dir: await mkdtemp(join(tmpdir(), 'ares-http-')) });
  const world = createAccountsWorld({ database, secrets, clock, log }, options.accounts);
  const { service: accounts, tokens, sessionWatch } = world;
  const released: { readonly deviceUuid: string }[] = [];
  const published: { deviceUuid: string; revision: number }[] = [];
  const publisher = {
    publish: async (change: { deviceUuid: string; revision: number }) => void published.push(change),
  };
  const { devices, components, routes } = createDeviceHandlers(
    { database, clock, random: randomBytes, newUuid: randomUUID, deviceApiUrl: 'https://devices.test:8443' },
    { publisher, release: { release: async (device) => void released.push(device) } },
  );
  /** Requests that reached a handler that is not real here. */
  const reached: { route: RouteId; context: RequestContext }[] = [];
  const stubs = Object.fromEntries(
    (Object.values(contract) as Route[]).map(({ id }) => [
      id,
      async (context: RequestContext) => {
        reached.push({ route: id as RouteId, context });
        throw new Error('not part of this test: canary-internal-detail');
      },
    ]),
  ) as unknown as Handlers;
  const handlers: Handlers = {
    ...stubs,
    ...(options.policiesOnly !== true && {
      ...accountRoutes(world),
      ...administrationRoutes(world.administration),
      ...routes,
    }),
    ...serviceRoutes({
      health: { database: database.healthy, broker: () => true, stateStore: () => true },
      version: '0.0.0',
    }),
    ...options.handlers,
  };
  const policies = createPolicies({
    callerOf: accounts.callerOf,
    accessOf: devices.accessOf,
    historyAccessOf: devices.historyAccessOf,
    deviceOf: async () => undefined,
  });
  const closing = new AbortController();
  const app = createHttpApp({
    listener: 'public',
    handlers,
    policies,
    limits: createRateLimits({ ...noLimits, ...options.limits }, memoryRateLimiters),
    log,
    clock,
    closing: closing.signal,
    sessions: sessionWatch,
    idempotency: createIdempotency({ database, secrets, clock }),
    ...(options.trustedProxies && { trustedProxies: options.trustedProxies }),
  });
  const listener = await listenPublic(app, { host: '127.0.0.1', port: 0 }, closing, options.times);
  const url = `http://127.0.0.1:${listener.port}`;

  return {
    url,
    port: listener.port,
    clock,
    database,
    secrets,
    tokens,
    accounts,
    /** Everything about accounts, its mails included. */
    parts: world,
    devices,
    components,
    reached,
    published,
    /** Devices that were given away. */
    released,
    closing,
    listener,
    /** A new account, signed in. */
    async person(roles: readonly RoleName[] = []) {
      const email = `${randomUUID()}@example.org`;
      const { userUuid } = await accounts.ensureAccount({ email, password: 'correct horse battery', roles });
      const { userId } = (await accountRepository.findByUuid(database.db, userUuid))!;
      const { accessToken, refreshToken } = await world.sessions.open(database.db, { userId, userUuid });
      const { caller } = (await accounts.callerOf(accessToken))!;
      const client: Client = createClient({ baseUrl: url, fetch, accessToken: () => accessToken });
      return { email, userUuid, userId, caller, accessToken, refreshToken, client };
    },
    /** A registered device; with `owner`, claimed by him. */
    async device(owner?: { userId: number }) {
      const deviceUuid = randomUUID();
      await devices.preregister({
        caller: (await this.person(['prime_admin'])).caller,
        device: {
          deviceUuid,
          cpuSerial: randomUUID().replaceAll('-', '').slice(0, 16),
          hardwareVersion: 'sim-1',
          hardwareVariant: 'greenhouse',
          allowFirstUse: false,
        },
        source: 'test',
      });
      const { id: deviceId } = await database.db
        .selectFrom('devices')
        .select('id')
        .where('device_uuid', '=', deviceUuid)
        .executeTakeFirstOrThrow();
      const assignment =
        owner &&
        (await database.db
          .insertInto('assignments')
          .values({ device_id: deviceId, number: 1, user_id: owner.userId })
          .returning('id')
          .executeTakeFirstOrThrow());
      return { deviceUuid, deviceId, assignmentId: assignment?.id ?? null };
    },
    async share(assignmentId: number, viewer: { userId: number }) {
      await database.db
        .insertInto('assignment_viewers')
        .values({ assignment_id: assignmentId, user_id: viewer.userId })
        .execute();
    },
    async close() {
      await listener.close();
      sessionWatch.close();
      await database.close();
    },
  };
}
