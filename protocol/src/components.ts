import * as z from 'zod/mini';
import { actionSchema, componentIdSchema, componentTypeSchema, metricSchema } from './ids.ts';

/** What a component type measures: unit (UCUM), plausible range, key in the state document. */
const metricDefinitionSchema = z.strictObject({
  metric: metricSchema,
  unit: z.string().check(z.minLength(1), z.maxLength(20)),
  min: z.number(),
  max: z.number(),
  /** Key in the state document, without the suffix of a second component. */
  stateKey: metricSchema,
});
export type MetricDefinition = z.infer<typeof metricDefinitionSchema>;

/** What a component type can be told to do. */
const actionDefinitionSchema = z.strictObject({
  action: actionSchema,
  /** Longest time that the output may stay on, in ms; absent for actions that end by themselves. */
  longestRunMs: z.optional(z.int().check(z.positive())),
});
export type ActionDefinition = z.infer<typeof actionDefinitionSchema>;

/** An entry of the catalogue: what cloud and device both know about a component type. */
export const componentTypeDefinitionSchema = z.strictObject({
  componentType: componentTypeSchema,
  kind: z.enum(['sensor', 'actuator']),
  /** Names of the lines it is wired to, e.g. `['line']`. */
  pinRoles: z.array(metricSchema).check(z.maxLength(28)),
  metrics: z.array(metricDefinitionSchema).check(z.maxLength(64)),
  actions: z.array(actionDefinitionSchema).check(z.maxLength(32)),
  /** Default time between two readings, in ms. */
  sampleIntervalMs: z.int().check(z.minimum(100)),
});
export type ComponentTypeDefinition = z.infer<typeof componentTypeDefinitionSchema>;

/** What of a component type may be edited: all but its name. */
export const componentTypeChangeSchema = z.omit(componentTypeDefinitionSchema, { componentType: true });
export type ComponentTypeChange = z.infer<typeof componentTypeChangeSchema>;

/** A component type as the catalogue shows it. */
export const catalogueEntrySchema = z.extend(componentTypeDefinitionSchema, {
  /** Comes with Ares and is read-only. */
  builtIn: z.boolean(),
});
export type CatalogueEntry = z.infer<typeof catalogueEntrySchema>;

/** A component as attached to a device; `pins` maps the role to the BCM number of the line. */
export const attachedComponentSchema = z.strictObject({
  componentId: componentIdSchema,
  componentType: componentTypeSchema,
  name: z.optional(z.string().check(z.minLength(1), z.maxLength(80))),
  pins: z.record(z.string(), z.int().check(z.nonnegative(), z.maximum(53))),
  /** Settings of the driver, checked by the driver's own schema. */
  config: z.record(z.string(), z.unknown()),
});
export type AttachedComponent = z.infer<typeof attachedComponentSchema>;

const SWITCH_ACTIONS = (longestRunMs: number): ActionDefinition[] => [
  { action: 'on', longestRunMs },
  { action: 'off' },
  { action: 'stop' },
];
const SWITCH_METRIC = (stateKey: string): MetricDefinition => ({
  metric: 'state',
  unit: '1',
  min: 0,
  max: 1,
  stateKey,
});

/** Component types that come with Ares. */
export const builtInComponentTypes: readonly ComponentTypeDefinition[] = [
  {
    componentType: 'led',
    kind: 'actuator',
    pinRoles: ['line'],
    metrics: [
      SWITCH_METRIC('led'),
      { metric: 'brightness', unit: '%', min: 0, max: 100, stateKey: 'led_brightness' },
    ],
    actions: [...SWITCH_ACTIONS(86_400_000), { action: 'brightness', longestRunMs: 86_400_000 }],
    sampleIntervalMs: 60_000,
  },
  {
    componentType: 'pump',
    kind: 'actuator',
    pinRoles: ['line'],
    metrics: [SWITCH_METRIC('pump')],
    actions: SWITCH_ACTIONS(600_000),
    sampleIntervalMs: 60_000,
  },
  {
    componentType: 'relay',
    kind: 'actuator',
    pinRoles: ['line'],
    metrics: [SWITCH_METRIC('relay')],
    actions: SWITCH_ACTIONS(86_400_000),
    sampleIntervalMs: 60_000,
  },
  {
    componentType: 'dht22',
    kind: 'sensor',
    pinRoles: ['data'],
    metrics: [
      { metric: 'temperature', unit: 'Cel', min: -40, max: 80, stateKey: 'dht22_temp' },
      { metric: 'humidity', unit: '%', min: 0, max: 100, stateKey: 'dht22_humidity' },
    ],
    actions: [],
    sampleIntervalMs: 5_000,
  },
  {
    componentType: 'soil-moisture',
    kind: 'sensor',
    pinRoles: [],
    metrics: [{ metric: 'moisture', unit: '%', min: 0, max: 100, stateKey: 'soil_moisture' }],
    actions: [],
    sampleIntervalMs: 5_000,
  },
  {
    componentType: 'cpu',
    kind: 'sensor',
    pinRoles: [],
    metrics: [
      { metric: 'load_average', unit: '%', min: 0, max: 100, stateKey: 'cpu_average' },
      { metric: 'load_peak', unit: '%', min: 0, max: 100, stateKey: 'cpu_peak' },
      { metric: 'temperature', unit: 'Cel', min: -40, max: 150, stateKey: 'cpu_temperature' },
      { metric: 'memory_used', unit: '%', min: 0, max: 100, stateKey: 'cpu_memory' },
      { metric: 'undervoltage', unit: '1', min: 0, max: 1, stateKey: 'cpu_undervoltage' },
      { metric: 'throttled', unit: '1', min: 0, max: 1, stateKey: 'cpu_throttled' },
    ],
    actions: [],
    sampleIntervalMs: 5_000,
  },
];
