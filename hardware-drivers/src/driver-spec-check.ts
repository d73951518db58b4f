import { safeActions } from '@ares/protocol';
import { driverApiVersion, type LineFunction } from './driver.ts';
import type { AnySpec } from './driver-spec.ts';
import { DriverError } from './errors.ts';

const typeName = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const lineFunctions: readonly LineFunction[] = ['input', 'output', 'one-wire'];
const metricName = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;

/**
 * Everything that can be wrong with a driver's description before it is ever used. The author may have written
 * JavaScript, so nothing is believed because a type says it.
 * @throws {DriverError} API_VERSION, DRIVER_INVALID
 */
export function assertSpec(spec: AnySpec): void {
  if (typeof spec !== 'object' || spec === null)
    throw new DriverError('DRIVER_INVALID', 'defineDriver takes one object: { apiVersion, type, kind, … }');
  assertApiVersion(spec.type, spec.apiVersion);
  const faults = [...commonFaults(spec), ...(spec.kind === 'actuator' ? actuatorFaults(spec) : [])];
  if (faults.length > 0)
    throw new DriverError('DRIVER_INVALID', `driver "${String(spec.type)}": ${faults.join('; ')}`, {
      details: { type: spec.type, faults },
    });
}

/** @throws {DriverError} API_VERSION, naming both versions and what to do */
export function assertApiVersion(type: unknown, version: unknown): void {
  if (version === driverApiVersion) return;
  const advice =
    typeof version === 'number' && version > driverApiVersion
      ? 'update the agent, or install an older version of the driver'
      : `write apiVersion: ${driverApiVersion} after checking the driver against it`;
  throw new DriverError(
    'API_VERSION',
    `driver "${String(type)}" is written for driver API ${String(version)}, this agent supplies ${driverApiVersion}: ${advice}`,
    { details: { type, version } },
  );
}

function commonFaults(spec: AnySpec): string[] {
  const faults: string[] = [];
  if (typeof spec.type !== 'string' || !typeName.test(spec.type) || spec.type.length > 40)
    faults.push('type must be lower-case letters, digits and hyphens, at most 40');
  if (spec.kind !== 'sensor' && spec.kind !== 'actuator') faults.push('kind must be "sensor" or "actuator"');
  if (typeof spec.summary !== 'string' || spec.summary === '')
    faults.push('summary must say in a line what the part is');
  if (typeof spec.config?.safeParse !== 'function')
    faults.push('config must be a schema, e.g. z.strictObject({ pin: bcmPin() })');
  if (typeof spec.pins !== 'object' || spec.pins === null)
    faults.push('pins must name each line, e.g. { line: { function: "output" } }, or be {}');
  for (const [role, pin] of Object.entries(spec.pins ?? {})) {
    if (!metricName.test(role)) faults.push(`pin role "${role}" must be snake_case`);
    if (!lineFunctions.includes(pin.function))
      faults.push(`pin "${role}" needs a function: ${lineFunctions.join(', ')}`);
    if (pin.function === 'output' && spec.kind === 'sensor')
      faults.push(`pin "${role}" is an output, so the part is an actuator`);
    for (const name of ['activeLow', 'pwm'] as const)
      if (pin[name] !== undefined && typeof pin[name] !== 'function')
        faults.push(`${name} of pin "${role}" must be a function of the config`);
  }
  if (typeof spec.create !== 'function')
    faults.push('create must be a function of { config, hardware, clock, logger }');
  if (!Number.isInteger(spec.sampleIntervalMs) || spec.sampleIntervalMs < 100)
    faults.push('sampleIntervalMs must be whole milliseconds, at least 100');
  const metrics = Object.entries(spec.metrics ?? {});
  if (metrics.length === 0) faults.push('metrics must name at least one value');
  for (const [name, { unit, min, max, stateKey }] of metrics) {
    if (!metricName.test(name) || name.length > 40)
      faults.push(`metric "${name}" must be snake_case, at most 40`);
    if (typeof unit !== 'string' || unit === '') faults.push(`metric "${name}" has no unit`);
    if (!Number.isFinite(min) || !Number.isFinite(max) || min >= max)
      faults.push(`metric "${name}" needs min below max`);
    if (typeof stateKey !== 'string' || !metricName.test(stateKey))
      faults.push(`metric "${name}" needs a snake_case stateKey`);
  }
  return faults;
}

function actuatorFaults(spec: Extract<AnySpec, { kind: 'actuator' }>): string[] {
  const faults: string[] = [];
  const actions = Object.entries(spec.actions ?? {});
  if (actions.length === 0) faults.push('an actuator needs an action, e.g. on');
  for (const [name, action] of actions) {
    if (!typeName.test(name) || name.length > 40)
      faults.push(`action "${name}" must be lower-case letters, digits and hyphens`);
    if (safeActions.includes(name))
      faults.push(`action "${name}" comes by itself: implement off() of the body`);
    if (typeof action.args?.safeParse !== 'function')
      faults.push(`action "${name}" needs a schema for its args`);
    if (!Number.isInteger(action.longestRunMs) || action.longestRunMs < 1)
      faults.push(`action "${name}" needs longestRunMs, in whole milliseconds`);
  }
  if (!Object.values(spec.pins ?? {}).some((pin) => pin.function === 'output'))
    faults.push('an actuator needs an output among its pins, or no guard could make it safe');
  return faults;
}
