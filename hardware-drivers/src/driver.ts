import type { DriverError } from './errors.ts';
import type { SafeOutput } from './gpio/gpio-line.ts';
import type { DriverClock, DriverLogger, Hardware } from './hardware.ts';

/** The driver API that this package supplies. A driver names the one it was written for. */
export const driverApiVersion = 1;

/** What a line is used for. `one-wire` is a sensor's own protocol on one line (DHT22). */
export type LineFunction = 'input' | 'output' | 'one-wire';

/** A component as it is wired: which line plays which role, and its checked settings. */
export interface Wiring<Config = unknown, Role extends string = string> {
  /** Role → BCM number. */
  readonly pins: Readonly<Record<Role, number>>;
  readonly config: Config;
}

/** One line that a wired component occupies. */
export interface PinUse {
  readonly role: string;
  /** BCM number. */
  readonly bcm: number;
  readonly function: LineFunction;
  /** The part is on at the low level; always false for other lines than outputs. */
  readonly activeLow: boolean;
}

/** One value that a component reports. */
export interface MetricDefinition {
  /** UCUM: `Cel`, `%`, `1` (a switch: 0 or 1). */
  readonly unit: string;
  /** What the part can measure. A value outside is an error of the part, never sent and never clamped. */
  readonly min: number;
  readonly max: number;
  /** Key of the state document, e.g. `dht22_temp`. */
  readonly stateKey: string;
}

/** `suspect`: in range, but not plausible against what was read before. */
export type Quality = 'good' | 'suspect';

export interface Measurement<Metric extends string = string> {
  readonly metric: Metric;
  /** In the metric's unit. */
  readonly value: number;
  readonly quality: Quality;
}

/** What an actuator can be told to do. */
export interface ActionDefinition {
  /** One line for people. */
  readonly summary: string;
  /** `off` and `stop`: bring every output to its safe state; excused from clock, expiry, order and queue. */
  readonly safe: boolean;
  /** Longest run that any config allows, in ms; 0 for a safe action. */
  readonly longestRunMs: number;
}

/** What an actuator bears as configured. The agent's lease with all its renewals stays within. */
export interface ActuatorLimits {
  /** Longest time from the first "on" that outputs may stay out of their safe state, renewals included. */
  readonly longestRunMs: number;
  /** Shortest rest between two runs. The driver itself refuses a start before it is over. */
  readonly minimumOffMs: number;
}

/** An order that passed every check that needs no hardware. */
export interface CheckedAction {
  readonly action: string;
  readonly args: unknown;
  readonly safe: boolean;
  /** How long the outputs may stay out of their safe state for it; 0 for a safe one. */
  readonly leaseMs: number;
}

/** What a driver gets when it is made: the wiring of its component and named ports, nothing else. */
export interface DriverContext<Config = unknown, Role extends string = string> extends Wiring<Config, Role> {
  readonly hardware: Hardware;
  readonly clock: DriverClock;
  readonly logger: DriverLogger;
}

interface Instance extends AsyncDisposable {
  /** Once. A start that fails has given everything back. */
  start(): Promise<void>;
  /** All values that could be read now; an actuator's as read back from its lines. @throws {DriverError} never a value made up */
  read(signal?: AbortSignal): Promise<readonly Measurement[]>;
  /** Ends what is in flight and leaves every output in its safe state. At any time, and again. */
  stop(): Promise<void>;
  /** Of an instance that lives in another process: settles with the reason when it can do nothing more. */
  readonly lost?: Promise<DriverError>;
}

/** A sensor at work: `start`, any number of `read`, `stop`. */
export interface SensorInstance extends Instance {
  readonly kind: 'sensor';
}

/** An actuator at work. After `start`, `off` and `stop` its outputs are in their safe state. */
export interface ActuatorInstance extends Instance {
  readonly kind: 'actuator';
  /**
   * Checks the order again, does it and reads the output back.
   * @throws {DriverError} ACTION_UNKNOWN, ARGS_INVALID, RUN_TOO_LONG, MINIMUM_OFF_TIME, OUTPUT_STUCK
   */
  run(action: string, args: unknown, signal?: AbortSignal): Promise<void>;
}

interface Definition<Config, Role extends string> {
  readonly apiVersion: typeof driverApiVersion;
  /** Component type, e.g. `pump`: lower-case letters, digits and `-`. */
  readonly type: string;
  /** One line for people. */
  readonly summary: string;
  /** Names of the lines it is wired to, e.g. `['line']`. */
  readonly pinRoles: readonly Role[];
  /** By name; the name is the `metric` of a reading. */
  readonly metrics: Readonly<Record<string, MetricDefinition>>;
  /** How often `read` is worth calling, unless configured otherwise. */
  readonly sampleIntervalMs: number;
  /**
   * Checks a component as the cloud or a file describes it, and fills in the defaults of its config.
   * An `AttachedComponent` fits as it is. @throws {DriverError} CONFIG_INVALID with every fault and its place
   */
  parseWiring(component: { readonly pins: unknown; readonly config: unknown }): Wiring<Config, Role>;
  /** Every line that the component occupies. */
  pins(wiring: Wiring<Config, Role>): readonly PinUse[];
  /** What a guard outside of the process writes to make the component safe; empty for a sensor. */
  safeOutputs(wiring: Wiring<Config, Role>, hardware: Hardware): readonly SafeOutput[];
}

export interface SensorDefinition<Config = unknown, Role extends string = string>
  extends Definition<Config, Role> {
  readonly kind: 'sensor';
  create(context: DriverContext<Config, Role>): SensorInstance;
}

export interface ActuatorDefinition<Config = unknown, Role extends string = string>
  extends Definition<Config, Role> {
  readonly kind: 'actuator';
  /** By name; `off` and `stop` are always there. */
  readonly actions: Readonly<Record<string, ActionDefinition>>;
  limits(wiring: Wiring<Config, Role>): ActuatorLimits;
  /**
   * Everything about an order that can be refused before it is committed or acted upon.
   * @throws {DriverError} ACTION_UNKNOWN, ARGS_INVALID, RUN_TOO_LONG
   */
  checkAction(wiring: Wiring<Config, Role>, action: string, args: unknown): CheckedAction;
  create(context: DriverContext<Config, Role>): ActuatorInstance;
}

/** Code for one component type, as `defineDriver` makes it. The agent handles every driver through this alone. */
export type DriverDefinition<Config = unknown, Role extends string = string> =
  | SensorDefinition<Config, Role>
  | ActuatorDefinition<Config, Role>;
