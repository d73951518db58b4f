import { createDriverRegistry, type DriverRegistry, defineDriver, z } from '@ares/hardware-drivers';
import {
  type AttachedComponent,
  anyHeaderPin,
  builtInComponentTypes,
  type ComponentTypeDefinition,
} from '@ares/protocol';
import type { DeviceComponents } from '@ares/protocol/http/device';

const oddTypes = ['throws', 'hangs', 'hangs-at-start', 'hangs-at-stop', 'works'] as const;

/** What the odd drivers do and did. */
export interface OddDrivers {
  readonly registry: DriverRegistry;
  /** Drivers of these types load; the others are missing. */
  readonly loads: Map<string, number>;
  /** Whether the driver `throws` still throws. */
  broken: boolean;
  starts: number;
  stops: number;
}

/** Built-in drivers, and sensors that throw, hang or never start. */
export function createOddDrivers(): OddDrivers {
  const builtIn = createDriverRegistry();
  const loads = new Map<string, number>();
  const odd: OddDrivers = {
    loads,
    broken: true,
    starts: 0,
    stops: 0,
    registry: {
      types: [],
      load: async (type) => {
        loads.set(type, (loads.get(type) ?? 0) + 1);
        if (!(oddTypes as readonly string[]).includes(type)) return builtIn.load(type);
        return defineDriver({
          apiVersion: 1,
          type,
          kind: 'sensor',
          summary: 'a sensor with a fault',
          config: z.strictObject({}),
          pins: {},
          metrics: { value: { unit: '1', min: 0, max: 10, stateKey: 'value' } },
          sampleIntervalMs: 1_000,
          create: () => ({
            start: () => {
              odd.starts++;
              return type === 'hangs-at-start' ? new Promise<void>(() => undefined) : undefined;
            },
            read: async () => {
              if (type === 'hangs') return new Promise<never>(() => undefined);
              if (type === 'throws' && odd.broken) throw new Error('the sensor is on fire');
              return [{ metric: 'value', value: 1 }];
            },
            stop: () => {
              odd.stops++;
              return type === 'hangs-at-stop' ? new Promise<void>(() => undefined) : undefined;
            },
          }),
        });
      },
    },
  };
  return odd;
}

const types: ComponentTypeDefinition[] = [
  ...builtInComponentTypes,
  ...[...oddTypes, 'missing'].map((componentType) => ({
    componentType,
    kind: 'sensor' as const,
    pinRoles: [],
    metrics: [{ metric: 'value', unit: '1', min: 0, max: 10, stateKey: 'value' }],
    actions: [],
    sampleIntervalMs: 1_000,
  })),
];

export const odd = (componentId: number, componentType: string): AttachedComponent => ({
  componentId,
  componentType,
  pins: {},
  config: {},
});

/** A list in which the odd types are known. */
export function oddList(items: readonly AttachedComponent[], revision = 1): DeviceComponents {
  return { items: [...items], types, rules: anyHeaderPin(types), revision };
}
