import {
  type DriverContext,
  defineDriver,
  type SensorBody,
  type SensorDefinition,
  z,
} from '../../src/index.ts';
import { createMockHardware, createTestClock, silentLogger } from '../../src/testing/index.ts';

/** What a sensor's description needs beside its body. */
export const sensorSpec = {
  apiVersion: 1,
  type: 'probe',
  kind: 'sensor',
  summary: 'A probe of a test',
  config: z.strictObject({}),
  pins: {},
  metrics: { level: { unit: '%', min: 0, max: 100, stateKey: 'probe_level' } },
  sampleIntervalMs: 1_000,
} as const;

/** A sensor with this body. */
export function sensorWith(body: SensorBody<'level'>) {
  return contextFree(defineDriver({ ...sensorSpec, create: () => body }));
}

/** An actuator on BCM 17 with these parts of its body replaced. */
export function actuatorWith(
  make: (context: DriverContext<unknown, 'line'>) => {
    start?: () => Promise<void>;
    on?: () => Promise<void>;
    stop?: () => Promise<void>;
  },
) {
  const driver = defineDriver({
    ...sensorSpec,
    type: 'valve',
    kind: 'actuator',
    pins: { line: { function: 'output' } },
    actions: {
      on: { summary: 'on', args: z.strictObject({ durationMs: z.int() }), longestRunMs: 10_000 },
    },
    create: (context) => {
      const body = make(context);
      return {
        start: () => body.start?.(),
        run: { on: () => body.on?.() },
        off: () => undefined,
        read: () => [],
        stop: () => body.stop?.(),
      };
    },
  });
  const hardware = createMockHardware();
  const wiring = driver.parseWiring({ pins: { line: 17 }, config: {} });
  return {
    driver,
    wiring,
    hardware,
    actuator: driver.create({ ...wiring, hardware, clock: createTestClock(), logger: silentLogger }),
  };
}

function contextFree(driver: SensorDefinition) {
  return driver.create({
    pins: {},
    config: {},
    hardware: createMockHardware(),
    clock: createTestClock(),
    logger: silentLogger,
  });
}
