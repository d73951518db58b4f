import { safeActions } from '@ares/protocol';
import type {
  ActionDefinition,
  ActuatorDefinition,
  ActuatorLimits,
  CheckedAction,
  DriverDefinition,
  PinUse,
  SensorDefinition,
  Wiring,
} from './driver.ts';
import { driverApiVersion } from './driver.ts';
import type { ActionSpec, ActuatorSpec, AnySpec, SensorSpec } from './driver-spec.ts';
import { assertSpec } from './driver-spec-check.ts';
import { DriverError } from './errors.ts';
import { runActuator, runSensor } from './instance.ts';
import { bcmPin, issuesOf, type Parsed, type Schema, z } from './schema.ts';

/**
 * Makes a driver from its description. The result checks for the author what every driver would have to check:
 * wiring and arguments against their schemas, run times against the limits, each value against its metric;
 * and it leaves nothing open or on when a start fails or a stop overtakes a run.
 *
 * @throws {DriverError} DRIVER_INVALID with every fault of the description, API_VERSION
 */
export function defineDriver<Config extends Schema, Role extends string, Metric extends string>(
  spec: SensorSpec<Config, Role, Metric>,
): SensorDefinition<Parsed<Config>, Role>;
export function defineDriver<
  Config extends Schema,
  Role extends string,
  Metric extends string,
  Actions extends Record<string, ActionSpec>,
>(spec: ActuatorSpec<Config, Role, Metric, Actions>): ActuatorDefinition<Parsed<Config>, Role>;
export function defineDriver(spec: AnySpec): DriverDefinition {
  assertSpec(spec);
  const wiringSchema = z.strictObject({
    pins: z.strictObject(Object.fromEntries(Object.keys(spec.pins).map((role) => [role, bcmPin()]))),
    config: spec.config,
  });
  const common = {
    apiVersion: driverApiVersion,
    type: spec.type,
    summary: spec.summary,
    pinRoles: Object.keys(spec.pins),
    metrics: spec.metrics,
    sampleIntervalMs: spec.sampleIntervalMs,
    parseWiring: ({ pins, config }) =>
      parseOr('CONFIG_INVALID', spec.type, wiringSchema, { pins, config }) as Wiring,
    pins: (wiring) => pinsOf(spec, wiring),
    safeOutputs: (wiring, hardware) =>
      pinsOf(spec, wiring)
        .filter((pin) => pin.function === 'output')
        .map(({ role, bcm, activeLow }) =>
          spec.pins[role]!.pwm?.(wiring.config) === true
            ? hardware.pwm.safeOutput(bcm)
            : hardware.gpio.safeOutput(bcm, { activeLow }),
        ),
  } satisfies Partial<DriverDefinition>;
  if (spec.kind === 'sensor')
    return {
      ...common,
      kind: 'sensor',
      create: (context) => runSensor(spec.type, spec.metrics, spec.create(context)),
    };

  const limits = (wiring: Wiring) => limitsOf(spec, wiring.config);
  const checkAction = (wiring: Wiring, action: string, args: unknown) =>
    checkedAction(spec, wiring, action, args);
  return {
    ...common,
    kind: 'actuator',
    actions: actionsOf(spec),
    limits,
    checkAction,
    create: (context) =>
      runActuator(spec.type, spec.metrics, spec.create(context), (action, args) =>
        checkAction(context, action, args),
      ),
  };
}

type AnyActuator = Extract<AnySpec, { kind: 'actuator' }>;

function actionsOf(spec: AnyActuator): Record<string, ActionDefinition> {
  const risky = Object.entries(spec.actions).map(([name, { summary, longestRunMs }]) => [
    name,
    { summary, safe: false, longestRunMs },
  ]);
  const safe = safeActions.map((name) => [
    name,
    { summary: 'Switch it off at once', safe: true, longestRunMs: 0 },
  ]);
  return Object.fromEntries([...risky, ...safe]) as Record<string, ActionDefinition>;
}

function limitsOf(spec: AnyActuator, config: unknown): ActuatorLimits {
  const bound = Math.max(...Object.values(spec.actions).map(({ longestRunMs }) => longestRunMs));
  const limits = spec.limits?.(config) ?? { longestRunMs: bound, minimumOffMs: 0 };
  return { ...limits, longestRunMs: Math.min(limits.longestRunMs, bound) };
}

function checkedAction(spec: AnyActuator, { config }: Wiring, action: string, input: unknown): CheckedAction {
  const { type } = spec;
  // A safe order is obeyed whatever comes with it: nothing may stand between "stop" and the pump.
  if (safeActions.includes(action)) return { action, args: {}, safe: true, leaseMs: 0 };
  const definition = Object.hasOwn(spec.actions, action) ? spec.actions[action] : undefined;
  if (definition === undefined)
    throw new DriverError(
      'ACTION_UNKNOWN',
      `${type} has no action "${action}"; it has ${[...Object.keys(spec.actions), ...safeActions].join(', ')}`,
      { details: { type, action } },
    );
  const refusal = spec.refusal?.(action, config);
  if (refusal !== undefined)
    throw new DriverError('ACTION_UNKNOWN', `${type} cannot do "${action}": ${refusal}`, {
      details: { type, action },
    });
  const args = parseOr('ARGS_INVALID', type, definition.args, input) as { durationMs: number };
  const { durationMs } = args;
  if (!Number.isInteger(durationMs) || durationMs < 1)
    throw new DriverError('ARGS_INVALID', `${type}: durationMs must be whole milliseconds, at least 1`, {
      details: { type, durationMs },
    });
  const longestRunMs = Math.min(limitsOf(spec, config).longestRunMs, definition.longestRunMs);
  if (durationMs > longestRunMs)
    throw new DriverError(
      'RUN_TOO_LONG',
      `${type} may run for at most ${longestRunMs} ms; ${durationMs} ms was asked for`,
      {
        details: { type, durationMs, longestRunMs },
      },
    );
  return { action, args, safe: false, leaseMs: durationMs };
}

/** The one source for pin rules, for `create` and for the guard, so that no driver can forget to say how it is made safe. */
function pinsOf(spec: AnySpec, { pins, config }: Wiring): PinUse[] {
  return Object.entries(spec.pins).map(([role, pin]) => ({
    role,
    bcm: pins[role]!,
    function: pin.function,
    activeLow: pin.activeLow?.(config) ?? false,
  }));
}

function parseOr(
  code: 'CONFIG_INVALID' | 'ARGS_INVALID',
  type: string,
  schema: Schema,
  input: unknown,
): unknown {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new DriverError(code, `${type}: ${issuesOf(code === 'ARGS_INVALID' ? 'args' : '', result.error)}`, {
    details: { type },
  });
}
