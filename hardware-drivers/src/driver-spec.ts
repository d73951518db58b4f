import type { ActuatorLimits, DriverContext, LineFunction, MetricDefinition, Quality } from './driver.ts';
import type { Parsed, Schema } from './schema.ts';

type Awaitable<T> = T | Promise<T>;

/** One value as a driver hands it back; `quality` is `good` unless it says otherwise. */
export interface MeasuredValue<Metric extends string = string> {
  readonly metric: Metric;
  readonly value: number;
  readonly quality?: Quality;
}

/** What one line of a part is for. The safe state of an output is always off. */
export interface PinSpec<Config> {
  readonly function: LineFunction;
  /** Outputs only: whether the part is on at the low level. Default: never. */
  readonly activeLow?: (config: Config) => boolean;
  /** Outputs only: whether a pulse generator drives the line, which is off at the low level. Default: never. */
  readonly pwm?: (config: Config) => boolean;
}

interface CommonSpec<Config extends Schema, Role extends string, Metric extends string> {
  /** The driver API that the driver was written for: 1. */
  readonly apiVersion: number;
  readonly type: string;
  readonly summary: string;
  /** What may be configured, with its defaults, as one `z.strictObject`. */
  readonly config: Config;
  /** Role → what the line is for; `{}` for a part without lines of its own. */
  readonly pins: Readonly<Record<Role, PinSpec<Parsed<Config>>>>;
  readonly metrics: Readonly<Record<Metric, MetricDefinition>>;
  readonly sampleIntervalMs: number;
}

/** What a sensor does. */
export interface SensorBody<Metric extends string> {
  start?(signal: AbortSignal): Awaitable<void>;
  read(signal: AbortSignal): Awaitable<readonly MeasuredValue<Metric>[]>;
  /** Gives everything back; is also called after a failed `start`, and may be called twice. */
  stop?(): Awaitable<void>;
}

/** How an author describes a sensor to `defineDriver`. */
export interface SensorSpec<Config extends Schema, Role extends string, Metric extends string>
  extends CommonSpec<Config, Role, Metric> {
  readonly kind: 'sensor';
  create(context: DriverContext<Parsed<Config>, Role>): SensorBody<Metric>;
}

/** An action that lets outputs leave their safe state, for the `durationMs` of its arguments. */
export interface ActionSpec {
  readonly summary: string;
  readonly args: Schema<{ durationMs: number }>;
  /** Longest run in ms that the part bears, whatever is configured. */
  readonly longestRunMs: number;
}

/** What an actuator does: one function per action, typed by its arguments, and `off`. */
export interface ActuatorBody<Metric extends string, Actions extends Record<string, ActionSpec>> {
  /** Opens the outputs in their safe state. */
  start(signal: AbortSignal): Awaitable<void>;
  readonly run: {
    readonly [Name in keyof Actions]: (
      args: Parsed<Actions[Name]['args']>,
      signal: AbortSignal,
    ) => Awaitable<void>;
  };
  /** Every output to its safe state, verified: the orders `off` and `stop`. */
  off(signal: AbortSignal): Awaitable<void>;
  read(signal: AbortSignal): Awaitable<readonly MeasuredValue<Metric>[]>;
  /** Leaves the outputs in their safe state; is also called after a failed `start`, and may be called twice. */
  stop(): Awaitable<void>;
}

/** How an author describes an actuator to `defineDriver`. */
export interface ActuatorSpec<
  Config extends Schema,
  Role extends string,
  Metric extends string,
  Actions extends Record<string, ActionSpec>,
> extends CommonSpec<Config, Role, Metric> {
  readonly kind: 'actuator';
  /** All but `off` and `stop`, which every actuator has. */
  readonly actions: Actions;
  /** From the config; default: the longest run of the actions, no rest. */
  limits?(config: Parsed<Config>): ActuatorLimits;
  /** Why an action cannot be done as configured, and what to do about it; nothing when it can. */
  refusal?(action: string, config: Parsed<Config>): string | undefined;
  create(context: DriverContext<Parsed<Config>, Role>): ActuatorBody<Metric, Actions>;
}

/** Any description, as the code that handles all of them sees it. */
export type AnySpec =
  | SensorSpec<Schema, string, string>
  | ActuatorSpec<Schema, string, string, Record<string, ActionSpec>>;
