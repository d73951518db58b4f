import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createDriverRegistry,
  type DriverLocation,
  locateExternalDriver,
  type Measurement,
} from '@ares/hardware-drivers';
import { createMockHardware } from '@ares/hardware-drivers/testing';
import {
  type AttachedComponent,
  anyHeaderPin,
  builtInComponentTypes,
  type ComponentHealth,
  type ComponentTypeDefinition,
} from '@ares/protocol';
import { onTestFinished } from 'vitest';
import { createDriversProcess } from '../../src/adapters/drivers-process.ts';
import { createSystemClock } from '../../src/adapters/system-clock.ts';
import { ComponentSet } from '../../src/components/component-set.ts';
import { createDriverHost, type DriverHostConfig } from '../../src/external-drivers/driver-host.ts';
import { defaultOperatingConfig } from '../../src/operate/config.ts';
import type { DriversChannel } from '../../src/ports/drivers-child.ts';
import { createLogger } from '../../src/ports/logger.ts';
import { createFakeGuard } from './fake-guard.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** The body of a sensor by others, around what it does. */
export const sensor = (type: string, body: string, head = '') => `
import { defineDriver, z } from '@ares/hardware-drivers';
${head}
export default defineDriver({
  apiVersion: 1, type: '${type}', kind: 'sensor', summary: 'a sensor by others',
  config: z.strictObject({}), pins: {},
  metrics: { value: { unit: '1', min: 0, max: 10, stateKey: 'value' } },
  sampleIntervalMs: 100,
  create: ({ pins, hardware, clock, logger }) => ({ ${body} }),
});`;
export const works = 'read: async () => [{ metric: "value", value: 1 }]';

/** A relay by others on one output that is on at the low level. */
export const relay = `
import { defineDriver, z } from '@ares/hardware-drivers';
export default defineDriver({
  apiVersion: 1, type: 'relay-x', kind: 'actuator', summary: 'a relay by others',
  config: z.strictObject({ fault: z.withDefault(z.string(), '') }),
  pins: { line: { function: 'output', activeLow: () => true } },
  metrics: { state: { unit: '1', min: 0, max: 1, stateKey: 'relay' } },
  sampleIntervalMs: 100,
  actions: { on: { summary: 'on', args: z.strictObject({ durationMs: z.int(), level: z.optional(z.int()) }), longestRunMs: 60000 } },
  create: ({ pins, config, hardware }) => {
    let line;
    return {
      start: async () => { line = await hardware.gpio.openOutput(pins.line, { activeLow: false }); },
      run: { on: async () => { await line.write(true); if (config.fault === 'block') for (;;); } },
      off: async () => { await line.write(false); },
      read: async () => {
        if (config.fault === 'on by itself') await line.write(true);
        if (config.fault === 'foreign line') await hardware.gpio.openOutput(17);
        return [{ metric: 'state', value: (await line.read()) ? 1 : 0 }];
      },
      stop: async () => { await line?.close(); },
    };
  },
});`;

export const attached = (
  componentId: number,
  componentType: string,
  pins: Record<string, number> = {},
  config: Record<string, unknown> = {},
): AttachedComponent => ({ componentId, componentType, pins, config });

const typeOf = (componentType: string): ComponentTypeDefinition => ({
  componentType,
  kind: componentType === 'relay-x' ? 'actuator' : 'sensor',
  pinRoles: ['relay-x', 'motion'].includes(componentType) ? ['line'] : [],
  metrics: [{ metric: 'value', unit: '1', min: 0, max: 10, stateKey: 'value' }],
  actions: [],
  sampleIntervalMs: 100,
});

/**
 * Components at work as in the agent, with drivers by others from these sources in their real process.
 * Real time, short patience.
 */
export async function startDriversBench(
  sources: Readonly<Record<string, string>>,
  config: Partial<DriverHostConfig> = {},
  given: {
    /** The program that the process is; default: the sources of the agent. */
    readonly program?: {
      readonly mainFile: string;
      readonly programFolder: string;
      readonly flags: string[];
    };
    /** Drivers that lie somewhere already, by type. */
    readonly installed?: Readonly<Record<string, DriverLocation>>;
  } = {},
) {
  const types = [...Object.keys(sources), ...Object.keys(given.installed ?? {})];
  const dir = mkdtempSync(join(tmpdir(), 'ares-drivers-'));
  const locations = () => ({
    ...Object.fromEntries(Object.keys(sources).map((type) => [type, locateExternalDriver(join(dir, type))])),
    ...given.installed,
  });
  for (const [type, source] of Object.entries(sources)) {
    mkdirSync(join(dir, type));
    writeFileSync(join(dir, type, 'package.json'), '{"type":"module","exports":"./index.js"}');
    writeFileSync(join(dir, type, 'index.js'), source);
  }
  const clock = createSystemClock();
  const log: string[] = [];
  const logger = createLogger({ write: (line) => log.push(line), now: () => 0, level: 'debug' });
  const hardware = createMockHardware();
  const guard = createFakeGuard({ gpio: hardware.gpio, clock });
  const real = createDriversProcess({
    ...(given.program ?? {
      mainFile: path('../../src/main.ts'),
      programFolder: path('../../..'),
      flags: ['--conditions=@ares/source'],
    }),
    drivers: locations,
    heapMb: 48,
  });
  const processes: DriversChannel[] = [];
  const open = new Set<DriversChannel>();
  const host = createDriverHost({
    clock,
    logger,
    process: {
      open() {
        const channel = real.open();
        processes.push(channel);
        open.add(channel);
        void channel.closed.then(() => open.delete(channel));
        return channel;
      },
    },
    config: {
      pingEveryMs: 100,
      answerWithinMs: 3_000,
      trialMs: 1_000,
      stopWithinMs: 300,
      lingerMs: 200,
      ...config,
    },
  });
  const builtIn = createDriverRegistry();
  const readings = new Map<number, Measurement[]>();
  const health = new Map<number, ComponentHealth[]>();
  const set = new ComponentSet({
    drivers: { load: (type, item) => (types.includes(type) ? host.load(type, item) : builtIn.load(type)) },
    hardware,
    guard,
    clock,
    logger,
    config: {
      ...defaultOperatingConfig,
      driverStartTimeoutMs: 4_000,
      driverReadTimeoutMs: 1_000,
      driverStopTimeoutMs: 500,
      driverRunTimeoutMs: 1_000,
      sampleIntervalMs: 100,
      componentRetryMs: 100,
      componentRetryMaxMs: 400,
    },
    events: {
      onMeasured: ({ componentId }, values) =>
        readings.set(componentId, [...(readings.get(componentId) ?? []), ...values]),
      onHealth: ({ componentId }, now) => health.set(componentId, [...(health.get(componentId) ?? []), now]),
    },
  });
  const attach = (items: readonly AttachedComponent[]) => {
    const known = [...builtInComponentTypes, ...types.map(typeOf)];
    return set.apply({ items: [...items], types: known, rules: anyHeaderPin(known), revision: 1 });
  };
  onTestFinished(async () => {
    await set.stop();
    await host.close();
    rmSync(dir, { recursive: true });
  });
  return {
    attach,
    set,
    hardware,
    guard,
    log,
    processes,
    values: (componentId: number) => (readings.get(componentId) ?? []).map(({ value }) => value),
    /** Processes that run now. */
    running: () => open.size,
    count: (componentId: number) => readings.get(componentId)?.length ?? 0,
    /** Everything that a component was ever said to be. */
    reasons: (componentId: number) => (health.get(componentId) ?? []).map(({ reason }) => reason ?? 'OK'),
    status: (componentId: number) => set.get(componentId)?.health?.status,
  };
}
export type DriversBench = Awaited<ReturnType<typeof startDriversBench>>;
