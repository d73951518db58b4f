import type {
  ActuatorInstance,
  CheckedAction,
  Measurement,
  MetricDefinition,
  SensorInstance,
} from './driver.ts';
import type { ActionSpec, ActuatorBody, MeasuredValue, SensorBody } from './driver-spec.ts';
import { DriverError } from './errors.ts';

/** The parts of a body that a life cycle needs. */
interface Body {
  start?(signal: AbortSignal): void | Promise<void>;
  stop?(): void | Promise<void>;
}

type Metrics = Readonly<Record<string, MetricDefinition>>;

/** A sensor's body with the life cycle and the checks that every sensor shares. */
export function runSensor(type: string, metrics: Metrics, body: SensorBody<string>): SensorInstance {
  const life = new LifeCycle(type, body);
  return {
    kind: 'sensor',
    start: () => life.start(),
    read: (signal) => life.call(signal, async (inner) => checked(type, metrics, await body.read(inner))),
    stop: () => life.stop(),
    [Symbol.asyncDispose]: () => life.stop(),
  };
}

/** An actuator's body with the same, and with its arguments checked again at the last moment before the act. */
export function runActuator(
  type: string,
  metrics: Metrics,
  body: ActuatorBody<string, Record<string, ActionSpec>>,
  check: (action: string, args: unknown) => CheckedAction,
): ActuatorInstance {
  const life = new LifeCycle(type, body);
  return {
    kind: 'actuator',
    start: () => life.start(),
    run: async (action, input, signal) => {
      const { args, safe } = check(action, input);
      await life.call(signal, async (inner) => {
        if (safe) await body.off(inner);
        else await body.run[action]!(args as { durationMs: number }, inner);
      });
    },
    read: (signal) => life.call(signal, async (inner) => checked(type, metrics, await body.read(inner))),
    stop: () => life.stop(),
    [Symbol.asyncDispose]: () => life.stop(),
  };
}

/**
 * Made → running → stopped, never back. Invariants: `stop` ends every call in flight; a start or call that is
 * overtaken by `stop` is followed by another `stop` of the body, so nothing opened late stays open or on.
 */
class LifeCycle {
  readonly #type: string;
  readonly #body: Body;
  readonly #calls = new Set<AbortController>();
  #state: 'made' | 'running' | 'stopped' = 'made';

  constructor(type: string, body: Body) {
    this.#type = type;
    this.#body = body;
  }

  async start(): Promise<void> {
    if (this.#state !== 'made') throw this.#notRunning('was started before; make a new instance');
    this.#state = 'running';
    try {
      await this.#abortable(undefined, (signal) => this.#body.start?.(signal));
    } catch (error) {
      await this.stop();
      throw error;
    }
    await this.#undoIfStopped();
  }

  async call<T>(signal: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#state !== 'running')
      throw this.#notRunning(this.#state === 'made' ? 'is not started' : 'is stopped');
    try {
      return await this.#abortable(signal, task);
    } finally {
      await this.#undoIfStopped();
    }
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    for (const call of this.#calls) call.abort(this.#notRunning('was stopped meanwhile'));
    await this.#body.stop?.();
  }

  async #undoIfStopped(): Promise<void> {
    if (this.#state === 'stopped') await this.#body.stop?.();
  }

  /** One controller per call, taken off the caller's signal afterwards: a long-lived signal collects nothing. */
  async #abortable<T>(
    outer: AbortSignal | undefined,
    task: (signal: AbortSignal) => T | Promise<T>,
  ): Promise<T> {
    outer?.throwIfAborted();
    const call = new AbortController();
    const forward = () => call.abort(outer?.reason);
    outer?.addEventListener('abort', forward, { once: true });
    this.#calls.add(call);
    try {
      return await task(call.signal);
    } finally {
      this.#calls.delete(call);
      outer?.removeEventListener('abort', forward);
    }
  }

  #notRunning(what: string): DriverError {
    return new DriverError('NOT_RUNNING', `${this.#type} ${what}`, { details: { type: this.#type } });
  }
}

/** Every value against its metric: an unknown name or no number is the driver's fault, a value out of range the part's. */
function checked(type: string, metrics: Metrics, values: readonly MeasuredValue[]): readonly Measurement[] {
  if (!Array.isArray(values))
    throw new DriverError('MEASUREMENT_INVALID', `${type}: read must return an array of { metric, value }`);
  return values.map(({ metric, value, quality = 'good' }: MeasuredValue) => {
    const definition = Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
    if (definition === undefined || typeof value !== 'number' || !Number.isFinite(value))
      throw new DriverError(
        'MEASUREMENT_INVALID',
        `${type}: ${String(metric)} = ${String(value)} is not a number for one of ${Object.keys(metrics).join(', ')}`,
        { details: { type, metric, value } },
      );
    if (value < definition.min || value > definition.max)
      throw new DriverError(
        'OUT_OF_RANGE',
        `${type}: ${metric} ${value} ${definition.unit} is outside ${definition.min}..${definition.max}`,
        { details: { type, metric, value } },
      );
    return { metric, value, quality };
  });
}
