import type {
  ActionDefinition,
  ActuatorLimits,
  InputOptions,
  MetricDefinition,
  PinUse,
} from '@ares/hardware-drivers';
import type { AttachedComponent } from '@ares/protocol';
import type { LogLevel } from './logger.ts';

/*
 * The conversation between the agent and the process of drivers by others: calls to drivers one way, their use of
 * hardware the other way.
 */

/** A line of a component; `pulsed`: an output that is driven by the pulse generator. */
export interface DescribedPin extends PinUse {
  readonly pulsed: boolean;
}

/** What a driver says of one component, as data: with it the agent checks orders and guards outputs by itself. */
export interface DriverDescription {
  readonly type: string;
  readonly kind: 'sensor' | 'actuator';
  readonly summary: string;
  readonly pinRoles: readonly string[];
  readonly metrics: Readonly<Record<string, MetricDefinition>>;
  readonly sampleIntervalMs: number;
  readonly pins: readonly DescribedPin[];
  /** Of an actuator. */
  readonly actions: Readonly<Record<string, ActionDefinition>>;
  readonly limits: ActuatorLimits;
}

/** `key` names a component as it is attached, `instance` one life of its driver. */
export type DriverCall =
  | { readonly do: 'describe'; readonly key: string; readonly component: AttachedComponent }
  | {
      readonly do: 'start';
      readonly key: string;
      readonly instance: number;
      readonly component: AttachedComponent;
    }
  | { readonly do: 'read' | 'stop'; readonly instance: number }
  | { readonly do: 'run'; readonly instance: number; readonly action: string; readonly args: unknown };

/** What a driver asks of the hardware; `line` is the number that opening it gave. */
export type HardwareCall =
  | { readonly do: 'open-output'; readonly bcm: number; readonly initial: boolean }
  | { readonly do: 'open-input'; readonly bcm: number; readonly options: InputOptions }
  | { readonly do: 'open-pwm'; readonly bcm: number; readonly frequencyHz: number }
  | { readonly do: 'write'; readonly line: number; readonly on: boolean }
  | { readonly do: 'set-share'; readonly line: number; readonly share: number }
  | { readonly do: 'read-line' | 'read-share' | 'watch' | 'unwatch' | 'close'; readonly line: number }
  | { readonly do: 'query-dht22'; readonly bcm: number }
  | { readonly do: 'read-adc'; readonly channel: number }
  | { readonly do: 'sample-cpu' };

/** An error as it crosses; the classes of the driver SDK keep their code. */
export interface CarriedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string | undefined;
  /** Of a `DriverError`; of a `GpioError` only `bcm`. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

export type Answer =
  | { readonly ok: true; readonly value?: unknown }
  | { readonly ok: false; readonly error: CarriedError };

/** From the agent. */
export type ToDriversChild =
  | { readonly type: 'call'; readonly id: number; readonly call: DriverCall }
  /** The caller does not wait for this call any more. */
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'ping' }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly type: 'edge'; readonly instance: number; readonly line: number; readonly on: boolean };

/** From that process. */
export type FromDriversChild =
  /** The driver's code is entered, and has returned or come to its first wait: an end in between is its doing. */
  | { readonly type: 'entered' | 'left'; readonly id: number }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly type: 'pong' }
  /** `call` is a `HardwareCall`, if the driver gave it arguments that make sense. */
  | { readonly type: 'call'; readonly id: number; readonly instance: number; readonly call: object }
  | { readonly type: 'abort'; readonly id: number }
  | {
      readonly type: 'log';
      readonly instance: number;
      readonly level: LogLevel;
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  /** Thrown where nobody could catch it: in a timer, or by a promise that nobody waited for. */
  | { readonly type: 'fault'; readonly instance: number; readonly reason: string };

/** The running process. */
export interface DriversChannel {
  send(message: ToDriversChild): void;
  onMessage(listener: (message: FromDriversChild) => void): void;
  /** Settles when the process has gone, with the reason in a sentence. */
  readonly closed: Promise<string>;
  /** Resident memory in bytes; 0 when it cannot be told. */
  residentBytes(): number;
  /** Ends it at once, also while it is busy; `reason` is what `closed` tells then. */
  kill(reason: string): void;
}

/** Starts that process. */
export interface DriversProcess {
  open(): DriversChannel;
}
