import { randomBytes, randomUUID } from 'node:crypto';
import {
  type Acknowledgement,
  type ComponentHealth,
  parseAcknowledgement,
  signMessage,
  topics,
} from '@ares/protocol';
import type { MqttClient } from 'mqtt';
import { createMemoryStateStore } from '../../src/adapters/memory-state-store.ts';
import { createCommandDispatch } from '../../src/commands/dispatch.ts';
import { createCommandResults } from '../../src/commands/results.ts';
import { createCommandService } from '../../src/commands/service.ts';
import { createCommandWaiting } from '../../src/commands/waiting.ts';
import { createWifiChangeService } from '../../src/commands/wifi-change.ts';
import { sharedSecretContext } from '../../src/credentials/shared-secrets.ts';
import { createOrderSigner } from '../../src/orders/order-signer.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import type { StateStore } from '../../src/ports/state-store.ts';
import { createPresence } from '../../src/presence/presence.ts';
import { createSecurityMonitor } from '../../src/security/monitor.ts';
import { createSecurityRepository } from '../../src/security/repository.ts';
import { createLiveState } from '../../src/state/live-state.ts';
import { createStateRepository } from '../../src/state/repository.ts';
import { createMac } from '../../src/telemetry/device-keys.ts';
import { createDeviceDirectory } from '../../src/telemetry/directory.ts';
import { createDirectoryRepository } from '../../src/telemetry/directory-repository.ts';
import { createIngest, type IngestConfig } from '../../src/telemetry/ingest.ts';
import { type BrokerWorld, brokerWorld, type TestDevice } from './broker-world.ts';
import { silentLogger } from './quiet.ts';

export type LiveWorld = Awaited<ReturnType<typeof liveWorld>>;

/** Broker, ingest, state and commands of one cloud on a real database; devices with real certificates and MACs. */
export async function liveWorld(
  options: {
    clock?: Clock;
    ingest?: IngestConfig;
    /** Stands between the ingest and its database, to make it fail. */
    wrap?: (database: CloudDatabase) => CloudDatabase;
    rate?: { perSecond: number; burst: number };
    quarantine?: boolean;
    /** Default: one of its own. */
    database?: CloudDatabase;
    /** Default: in memory. */
    store?: StateStore;
  } = {},
) {
  const clock = options.clock ?? { now: () => Date.now() };
  const world: BrokerWorld = await brokerWorld({
    clock,
    config: { birthWithinMs: 1e12, publishRate: options.rate ?? { perSecond: 1e6, burst: 1e6 } },
  });
  // Imported late: it exists only inside a test run, and measurements use this world too.
  const database = options.database ?? (await (await import('./database.ts')).useCloudDatabase());
  const wrapped = options.wrap?.(database) ?? database;
  const log = silentLogger;
  const security = createSecurityMonitor({
    repository: createSecurityRepository(database),
    clock,
    log,
    policy: { quarantineOnCompromise: options.quarantine ?? true },
  });
  const { link } = world.broker;
  const store = options.store ?? createMemoryStateStore();
  const state = await createLiveState({
    store,
    repository: createStateRepository(database),
    database,
    clock,
    log,
    role: 'writer',
  });
  const orders = createOrderSigner({ key: await world.secrets.keyPair('command-signing'), clock });
  const dispatch = createCommandDispatch({ database, link, clock, log, sweepEveryMs: 1e8 });
  const waiting = createCommandWaiting(database);
  const sending = { database, orders, dispatch, waiting, clock, newUuid: randomUUID };
  const commands = createCommandService(sending);
  const wifiChanges = createWifiChangeService({ ...sending, secrets: world.secrets });
  const ingests = new Set<{ close(withinMs?: number): Promise<void> }>();
  const startIngest = async (config: IngestConfig = {}) => {
    const directory = createDeviceDirectory({
      repository: createDirectoryRepository(wrapped),
      database,
      secrets: world.secrets,
      clock,
    });
    const ingest = await createIngest({
      link,
      database: wrapped,
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
          currentCertificate: async (serial) => world.statuses.get(serial),
          born: ({ deviceId }) => dispatch.resend(deviceId),
        }).handle,
        results: createCommandResults({ database, acknowledge, security, clock, log }).handle,
      }),
      config: { ...options.ingest, ...config },
    });
    const running = {
      ...ingest,
      async close(withinMs?: number) {
        ingests.delete(running);
        await ingest.close(withinMs);
        directory.close();
      },
    };
    ingests.add(running);
    return running;
  };
  const ingest = await startIngest();

  const newUser = async (email = `u${randomBytes(4).toString('hex')}+x@example.org`) => {
    const { id } = await database.db
      .insertInto('users')
      .values({ email, password_hash: 'x' })
      .returning('id')
      .executeTakeFirstOrThrow();
    return { id, email };
  };

  return {
    ...world,
    database,
    security,
    store,
    state,
    orders,
    dispatch,
    waiting,
    commands,
    wifiChanges,
    ingest,
    startIngest,
    clock,
    newUser,
    /** An owned device with a component of each type, connected and listening. */
    async newDevice(
      config: { types?: readonly string[]; user?: { id: number; email: string } } = {},
    ): Promise<LiveDevice> {
      const user = config.user ?? (await newUser());
      const issued = await world.issue();
      const device = await seedDevice(
        database,
        world,
        issued,
        user,
        config.types ?? ['dht22', 'pump', 'cpu'],
      );
      return await connectDevice(world, clock, { ...device, user });
    },
    async close() {
      for (const one of ingests) await one.close(200);
      waiting.close();
      await dispatch.close();
      await state.close();
      await security.close();
      await world.close();
      await database.close();
    },
  };
}

async function seedDevice(
  { db }: CloudDatabase,
  world: BrokerWorld,
  issued: TestDevice,
  user: { id: number },
  types: readonly string[],
) {
  const cpuSerial = randomBytes(8).toString('hex');
  const variant = { hardware_version: 'sim-1', hardware_variant: 'standard' };
  await db
    .insertInto('hardware_variants')
    .values(variant)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { id: variantId } = await db
    .selectFrom('hardware_variants')
    .where('hardware_version', '=', variant.hardware_version)
    .where('hardware_variant', '=', variant.hardware_variant)
    .select('id')
    .executeTakeFirstOrThrow();
  await db
    .insertInto('device_pin_configs')
    .values(
      [
        ['pump', 'line'],
        ['led', 'line'],
        ['dht22', 'data'],
      ].map(([type, role]) => ({
        hardware_variant_id: variantId,
        component_type: type!,
        role: role!,
        pins: [4, 5, 6, 17, 18, 22, 23],
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { id: deviceId } = await db
    .insertInto('devices')
    .values({
      device_uuid: issued.deviceUuid,
      cpu_serial: cpuSerial,
      hardware_variant_id: variantId,
      life_cycle: 'ACTIVE',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const { id: assignmentId } = await db
    .insertInto('assignments')
    .values({ device_id: deviceId, number: 1, user_id: user.id })
    .returning('id')
    .executeTakeFirstOrThrow();
  const secret = randomBytes(32);
  const sealed = await world.secrets.seal(secret, sharedSecretContext(issued.deviceUuid, 1, 1));
  await db
    .insertInto('assignment_secrets')
    .values({ assignment_id: assignmentId, n: 1, sealed: Buffer.from(sealed) })
    .execute();
  const components: Record<string, number> = {};
  for (const [i, type] of types.entries()) {
    const row = await db
      .selectFrom('supported_components')
      .where('component_type', '=', type)
      .select(['id', 'definition'])
      .executeTakeFirstOrThrow();
    const pins = Object.fromEntries(row.definition.pinRoles.map((role) => [role, [4, 17, 22, 23][i]!]));
    const { id } = await db
      .insertInto('attached_components')
      .values({
        device_id: deviceId,
        assignment_id: assignmentId,
        component_type_id: row.id,
        pins: JSON.stringify(pins),
        config: '{}',
        attached_at: new Date(Date.now() - 30 * 86_400_000),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    components[type] = id;
  }
  return { ...issued, deviceId, assignmentId, cpuSerial, secret, components };
}

type Seeded = Awaited<ReturnType<typeof seedDevice>> & { user: { id: number; email: string } };
export type LiveDevice = Awaited<ReturnType<typeof connectDevice>>;

export interface Boot {
  readonly bootId: string;
  readonly bootCount: number;
}
export const newBoot = (bootCount = 1): Boot => ({ bootId: randomBytes(16).toString('hex'), bootCount });

/** A device as the agent would be, able to say anything. */
async function connectDevice(world: BrokerWorld, clock: Clock, seeded: Seeded) {
  const { deviceUuid, user, components } = seeded;
  const mac = createMac(seeded.secret);
  const client: MqttClient = await world.connect(seeded);
  const acks: Acknowledgement[] = [];
  const orders: { topic: string; jws: string }[] = [];
  client.on('message', (topic, payload) => {
    if (topic !== topics.telemetryAck.build({ deviceUuid })) {
      orders.push({ topic, jws: payload.toString() });
      return;
    }
    const parsed = parseAcknowledgement(withoutMac(payload));
    if (!parsed.ok) throw new Error(`bad acknowledgement: ${JSON.stringify(parsed.issues)}`);
    acks.push(parsed.value);
  });
  await client.subscribeAsync([`commands/${deviceUuid}/#`, topics.systemReset.build({ deviceUuid })]);

  const boot = newBoot();
  const header = (over: object = {}) => ({
    v: 1,
    kid: 'a1.1',
    assignment: 1,
    ...boot,
    sentAt: clock.now() as number | null,
    uptimeMs: 60_000,
    cpuSerial: seeded.cpuSerial,
    hardwareVersion: 'sim-1',
    hardwareVariant: 'standard',
    ...over,
  });
  const sendRaw = (topic: string, payload: Uint8Array | string) =>
    client.publishAsync(topic, Buffer.from(payload as Uint8Array), { qos: 0 });
  const send = (topic: string, body: object) => sendRaw(topic, signMessage(topic, body, mac));
  const connectionId = randomUUID();
  const began = clock.now();

  return {
    ...seeded,
    client,
    mac,
    boot,
    acks,
    orders,
    header,
    sendRaw,
    send,
    connectionId,
    topicOf: (componentType: string, userEmail = user.email) =>
      topics.componentStatus.build({ userEmail, deviceUuid, componentType }),
    reading: (seq: number, over: object = {}) => ({
      seq,
      componentId: components['dht22']!,
      metric: 'temperature',
      value: 21.5,
      // The same whenever it is sent, as on a device.
      measuredAt: began + seq,
      ...over,
    }),
    readings(list: readonly object[], over: object = {}, componentType = 'dht22') {
      const topic = topics.componentStatus.build({ userEmail: user.email, deviceUuid, componentType });
      return send(topic, header({ readings: list, ...over }));
    },
    birth(over: object = {}, health: readonly ComponentHealth[] = []) {
      return send(
        topics.connectionStatus.build({ deviceUuid }),
        header({
          event: 'online',
          connectionId,
          certificateSerial: seeded.serial,
          agentVersion: '0.1.0',
          ...(health.length > 0 && { health }),
          ...over,
        }),
      );
    },
    will(over: object = {}) {
      return send(
        topics.connectionStatus.build({ deviceUuid }),
        header({ event: 'offline', connectionId, ...over }),
      );
    },
    results(results: readonly object[], over: object = {}) {
      return send(topics.commandsStatus.build({ deviceUuid }), header({ results, ...over }));
    },
    /** All sequence numbers that were acknowledged as stored. */
    stored: () => new Set(acks.flatMap(({ stored }) => stored.flatMap(([from, to]) => range(from, to)))),
    rejected: () => acks.flatMap((ack) => ack.rejected),
  };
}

function withoutMac(payload: Uint8Array): unknown {
  const { mac: _mac, ...rest } = JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>;
  return rest;
}

export const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
