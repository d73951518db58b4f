import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDriverRegistry, type DriverRegistry } from '@ares/hardware-drivers';
import { createMockHardware, type MockHardware } from '@ares/hardware-drivers/testing';
import { type AttachedComponent, anyHeaderPin, builtInComponentTypes, topics } from '@ares/protocol';
import type { DeviceComponents } from '@ares/protocol/http/device';
import { onTestFinished } from 'vitest';
import type { Credentials } from '../../src/identity/types.ts';
import { defaultOperatingConfig, type OperatingConfig } from '../../src/operate/config.ts';
import { createOperatingSession } from '../../src/operate/session.ts';
import type { OperatingSession, Random } from '../../src/operate/types.ts';
import { createLogger } from '../../src/ports/logger.ts';
import type { ChangeNetwork } from '../../src/ports/network-changer.ts';
import { openDeviceStore } from '../../src/store/device-store.ts';
import type { DeviceStore } from '../../src/store/types.ts';
import { createFakeBroker, type FakeBroker } from './fake-broker.ts';
import { createFakeClock, type FakeClock, settle } from './fake-clock.ts';
import {
  commandKeys,
  createFakeCloud,
  deviceUuid,
  type FakeCloud,
  sharedSecret,
  signOrder,
} from './fake-cloud.ts';
import { createFakeGuard, type FakeGuard } from './fake-guard.ts';

export const dht22: AttachedComponent = {
  componentId: 1,
  componentType: 'dht22',
  pins: { data: 4 },
  config: {},
};
export const pump: AttachedComponent = {
  componentId: 2,
  componentType: 'pump',
  pins: { line: 17 },
  config: { minimumOffMs: 0 },
};

/** Everything around a session, in this process, on a clock that stands still. */
export interface Bench {
  readonly dir: string;
  readonly clock: FakeClock;
  readonly broker: FakeBroker;
  readonly cloud: FakeCloud;
  hardware: MockHardware;
  guard: FakeGuard;
  store: DeviceStore;
  session: OperatingSession;
  /** What the component source answers, or throws. */
  components: DeviceComponents | Error;
  fetches: number;
  /** The component source waits for it. */
  beforeFetch: Promise<void>;
  readonly drivers: { registry: DriverRegistry };
  /** What becomes of an order to change the Wi-Fi. */
  changeNetwork: ChangeNetwork;
  /** Every line of the log, the finest too. */
  readonly log: string[];
  /** Level of the pump's line. */
  pumpOn(): boolean;
  /** A process that is gone without a word, and its successor on the same disk. */
  crash(): void;
  restart(): Promise<void>;
  advance(ms: number): Promise<void>;
}

export function componentList(items: readonly AttachedComponent[], revision = 1): DeviceComponents {
  return {
    items: [...items],
    types: [...builtInComponentTypes],
    rules: anyHeaderPin(builtInComponentTypes),
    revision,
  };
}

export const credentials: Credentials = {
  certificateChain: 'chain',
  certificateSerial: 'abcdef',
  notBefore: 0,
  notAfter: 9_000_000_000_000,
  sharedSecret,
  kid: 'a1.1',
  assignment: 1,
  userEmail: 'owner@example.org',
  mqtt: { host: 'broker.test', port: 8883 },
  bootFloor: 0,
  hardwareVersion: 'sim-1',
  hardwareVariant: 'default',
  cloudTime: 0,
  privateKeyPem: '-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----',
};

export function createTestRandom(seed = 1): Random {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return {
    bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)),
    uuid: () => {
      const hex = Array.from({ length: 32 }, () => Math.floor(next() * 16).toString(16)).join('');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
    fraction: next,
  };
}

export interface BenchOptions {
  readonly items?: readonly AttachedComponent[];
  readonly config?: Partial<OperatingConfig>;
  readonly synchronised?: boolean;
  readonly credentials?: Partial<Credentials>;
  /** The cloud signs the time when it is asked; default: it cannot be asked. */
  readonly signsTime?: boolean;
}

/** A session that has started and settled. */
export async function startBench(options: BenchOptions = {}): Promise<Bench> {
  const dir = mkdtempSync(join(tmpdir(), 'ares-session-'));
  const clock = createFakeClock({ synchronised: options.synchronised ?? true });
  const broker = createFakeBroker();
  const cloud = createFakeCloud({
    broker,
    now: () => clock.trueNow(),
    assignment: options.credentials?.assignment ?? 1,
  });
  // Imported before, so that loading a driver takes no real time.
  for (const componentType of ['dht22', 'pump', 'led', 'cpu']) await preload(componentType);
  const log: string[] = [];
  const logger = createLogger({ write: (line) => log.push(line), now: () => clock.now(), level: 'debug' });
  const drivers = { registry: createDriverRegistry() };
  let bootSeed = 1;

  const bench = {
    dir,
    clock,
    broker,
    cloud,
    hardware: makeHardware(),
    log,
    drivers,
    components: componentList(options.items ?? [dht22, pump]),
    fetches: 0,
    beforeFetch: Promise.resolve(),
    changeNetwork: (async () => ({ outcome: 'kept' })) as ChangeNetwork,
    pumpOn: () => bench.hardware.gpio.level(17) === '1',
    crash: () => {
      broker.drop();
      bench.store.close();
    },
    restart: async () => {
      // A successor opens the lines anew; they have the level that was left behind.
      const left = bench.hardware.gpio.level(17);
      bench.hardware = makeHardware();
      bench.hardware.gpio.drive(17, left);
      begin();
      await settle();
    },
    advance: async (ms: number) => {
      await clock.advance(ms);
      await settle();
    },
  } as Bench;
  const begin = () => {
    // The clock of a process that is gone runs nothing any more: each life has its own view of time.
    const life = lifeOf(clock);
    bench.guard = createFakeGuard({ gpio: bench.hardware.gpio, clock });
    bench.store = openDeviceStore({ dir, logger, clock });
    bench.session = createOperatingSession({
      identity: {
        deviceUuid,
        cpuSerial: '00000000abcdef01',
        hardwareVersion: 'sim-1',
        hardwareVariant: 'default',
      },
      credentials: { ...credentials, ...options.credentials },
      trust: { v: 1, caCertificates: ['ca'], commandKeys: { keys: [...commandKeys.keys] }, tufRoot: null },
      componentSource: {
        fetch: async () => {
          bench.fetches++;
          await bench.beforeFetch;
          if (bench.components instanceof Error) throw bench.components;
          return bench.components;
        },
      },
      link: broker.link,
      drivers: { load: (type) => drivers.registry.load(type) },
      hardware: bench.hardware,
      store: bench.store,
      guard: bench.guard,
      changeNetwork: (wifi, how) => bench.changeNetwork(wifi, how),
      clock: life.clock,
      signedTime: {
        ask: async () => {
          if (options.signsTime !== true) throw new Error('the cloud cannot be asked');
          const at = clock.monotonicMs();
          return { epochMs: clock.trueNow(), askedAt: at, answeredAt: at };
        },
        onTime: () => undefined,
      },
      logger,
      random: createTestRandom(bootSeed++),
      config: { ...defaultOperatingConfig, agentVersion: '0.1.0', ...options.config },
    });
    const crash = bench.crash;
    bench.crash = () => {
      life.end();
      crash();
    };
    bench.session.start();
  };
  begin();
  await settle();
  onTestFinished(async () => {
    await bench.session.stop('test ended').catch(() => undefined);
    try {
      bench.store.close();
    } catch {
      // Closed by a crash of the test.
    }
    rmSync(dir, { recursive: true, force: true });
  });
  return bench;
}

/** Changes the list in the cloud and waits until the device has it. */
export async function changeComponents(bench: Bench, components: Bench['components']): Promise<void> {
  bench.components = components;
  await tellComponentsChanged(bench);
  await bench.cloud.allOrdersRead();
  await bench.advance(0);
}

/** Sends the order to fetch the list again. */
export async function tellComponentsChanged(bench: Bench): Promise<void> {
  const topic = topics.componentsChanged.build({ deviceUuid });
  const { jti, aud, asg, iat, exp } = bench.cloud.claims();
  const token = await signOrder({ aud, asg, topic, jti, iat, exp, seq: 2 }, { typ: 'components+jwt' });
  bench.broker.deliver(topic, token);
}

function makeHardware(): MockHardware {
  const hardware = createMockHardware();
  hardware.setDht22(4, { kind: 'values', temperatureCelsius: 21.5, humidityPercent: 40 });
  hardware.setCpu({
    averageLoadPercent: 5,
    peakLoadPercent: 9,
    temperatureCelsius: 50,
    memoryUsedPercent: 30,
    undervoltage: null,
    throttled: null,
  });
  return hardware;
}

async function preload(type: string): Promise<void> {
  await createDriverRegistry()
    .load(type)
    .catch(() => undefined);
}

function lifeOf(clock: FakeClock) {
  let alive = true;
  return {
    clock: {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      synchronised: () => clock.synchronised(),
      after: (delayMs: number, run: () => void) => clock.after(delayMs, () => alive && run()),
    },
    end: () => {
      alive = false;
    },
  };
}
