import {
  type ActuatorInstance,
  type CheckedAction,
  type DriverContext,
  type DriverDefinition,
  DriverError,
  driverApiVersion,
  type Hardware,
  type SensorInstance,
  type Wiring,
} from '@ares/hardware-drivers';
import { safeActions } from '@ares/protocol';
import type { DriverDescription } from '../ports/drivers-child.ts';

/** What calls an instance in another process; a sensor's `run` is never called. */
export type CalledInstance = Omit<ActuatorInstance, 'kind'>;

/**
 * The definition of a driver in another process, for the one component that it was described for. Nothing here waits
 * for that process: pins, limits and safe outputs are data, and what makes an order dangerous, its duration, is
 * checked by the agent. The rest of the arguments is checked by the driver when it is told to act.
 *
 * @param create makes the instance that calls the other process
 */
export function describedDriver(
  description: DriverDescription,
  create: (context: DriverContext) => CalledInstance,
): DriverDefinition {
  const { type, kind, pins } = description;
  const common = {
    apiVersion: driverApiVersion as typeof driverApiVersion,
    type,
    summary: description.summary,
    pinRoles: description.pinRoles,
    metrics: description.metrics,
    sampleIntervalMs: description.sampleIntervalMs,
    parseWiring: (component: { readonly pins: unknown; readonly config: unknown }) => component as Wiring,
    pins: () => pins,
    // By the agent's own hardware: a path that the agent writes to is not for a driver to name.
    safeOutputs: (_wiring: Wiring, hardware: Hardware) =>
      pins
        .filter((pin) => pin.function === 'output')
        .map(({ bcm, activeLow, pulsed }) =>
          pulsed ? hardware.pwm.safeOutput(bcm) : hardware.gpio.safeOutput(bcm, { activeLow }),
        ),
  };
  if (kind === 'sensor')
    return { ...common, kind, create: (context): SensorInstance => ({ ...create(context), kind }) };
  return {
    ...common,
    kind,
    actions: description.actions,
    limits: () => description.limits,
    checkAction: (_wiring, action, args) => checkedAction(description, action, args),
    create: (context): ActuatorInstance => ({ ...create(context), kind }),
  };
}

/** @throws {DriverError} ACTION_UNKNOWN, ARGS_INVALID, RUN_TOO_LONG */
function checkedAction(
  { type, actions, limits }: DriverDescription,
  action: string,
  args: unknown,
): CheckedAction {
  if (safeActions.includes(action)) return { action, args: {}, safe: true, leaseMs: 0 };
  const definition = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (definition === undefined)
    throw new DriverError(
      'ACTION_UNKNOWN',
      `${type} has no action "${action}"; it has ${Object.keys(actions).join(', ')}`,
    );
  const durationMs =
    typeof args === 'object' && args !== null && 'durationMs' in args ? args.durationMs : undefined;
  if (typeof durationMs !== 'number' || !Number.isInteger(durationMs) || durationMs < 1)
    throw new DriverError('ARGS_INVALID', `${type}: durationMs must be whole milliseconds, at least 1`);
  const longestRunMs = Math.min(limits.longestRunMs, definition.longestRunMs);
  if (durationMs > longestRunMs)
    throw new DriverError(
      'RUN_TOO_LONG',
      `${type} may run for at most ${longestRunMs} ms; ${durationMs} ms was asked for`,
    );
  return { action, args, safe: false, leaseMs: durationMs };
}
