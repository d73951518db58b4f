import {
  type ActuatorInstance,
  type DriverDefinition,
  DriverError,
  type Hardware,
  type Measurement,
  type SafeOutput,
  type SensorInstance,
  withTimeout,
} from '@ares/hardware-drivers';
import { type AttachedComponent, builtInComponentTypes, type ComponentHealth } from '@ares/protocol';
import type { OperatingConfig } from '../operate/config.ts';
import type { Clock } from '../ports/clock.ts';
import type { DriverSource } from '../ports/driver-source.ts';
import type { Guard } from '../ports/guard.ts';
import type { Logger } from '../ports/logger.ts';
import type { Pulse } from '../ports/pulse.ts';
import { type ActionOutcome, Actuator } from './actuator.ts';
import { driverClock } from './driver-clock.ts';
import { sentenceOf } from './sentence.ts';

type ComponentConfig = Pick<
  OperatingConfig,
  | 'driverStartTimeoutMs'
  | 'driverStopTimeoutMs'
  | 'driverReadTimeoutMs'
  | 'driverRunTimeoutMs'
  | 'componentRetryMs'
  | 'componentRetryMaxMs'
  | 'sampleIntervalMs'
>;

interface ComponentEvents {
  /** `urgent`: something changed its state. */
  onMeasured(component: AttachedComponent, values: readonly Measurement[], urgent: boolean): void;
  onHealth(component: AttachedComponent, health: ComponentHealth): void;
}

export interface ComponentPorts {
  readonly drivers: DriverSource;
  readonly hardware: Hardware;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: ComponentConfig;
  readonly events: ComponentEvents;
  readonly pulse?: Pulse | undefined;
}

/** So many failed reads in a row make the driver start again. */
const READS_BEFORE_RESTART = 5;
/** Longer than all that a driver may take of one round together, ms. */
const ROUND_MS = 120_000;
/** Of a driver that does not say when it is to be read, ms. */
const UNKNOWN_INTERVAL_MS = 60_000;
/** Longest interval that a message carries, ms. */
const LONGEST_SAID_MS = 2 ** 31 - 1;

/**
 * One component, a failure domain of its own: nothing that its driver throws, delays or leaves out reaches another.
 * A driver that fails is started again after a while; until then the component's health says why.
 */
export class ComponentRuntime {
  readonly component: AttachedComponent;
  /** Settles when its driver has shown for the first time whether it works, or was stopped. */
  readonly settled: Promise<void>;
  #settle: () => void = () => undefined;
  readonly #ports: ComponentPorts;
  readonly #logger: Logger;
  #health: ComponentHealth | undefined;
  #actuator: Actuator | undefined;
  #instance: SensorInstance | ActuatorInstance | undefined;
  /** What a guard writes to make it safe; known once the driver was loaded. */
  #outputs: readonly SafeOutput[] = [];
  #cancelNext: () => void = () => undefined;
  #stopped = false;
  /** What is being read, and whether something changed meanwhile. */
  #reading: { readonly instance: SensorInstance | ActuatorInstance; again: boolean } | undefined;
  #failedStarts = 0;
  #failedReads = 0;
  /** Known once the driver was loaded. */
  #intervalMs: number | undefined;
  readonly #last = new Map<string, number>();

  constructor(component: AttachedComponent, ports: ComponentPorts) {
    this.component = component;
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#ports = ports;
    const { componentId, componentType } = component;
    this.#logger = ports.logger.child({ componentId, componentType });
  }

  /** `undefined` until its driver has shown whether it works. */
  get health(): ComponentHealth | undefined {
    return this.#health;
  }

  /** There while an actuator works. */
  get actuator(): Actuator | undefined {
    return this.#actuator;
  }

  /** Whether there is an output to make safe. */
  get hasOutputs(): boolean {
    return this.#actuator !== undefined || this.#outputs.length > 0;
  }

  /** At once, also while its driver does not work: then past it. Never rejects. */
  async makeSafe(action: string, args: unknown): Promise<ActionOutcome> {
    if (this.#actuator !== undefined) return this.#actuator.makeSafe(action, args);
    try {
      await this.#ports.guard.makeSafe(this.#outputs);
      return { outcome: 'COMPLETED', detail: 'Made safe past the driver, which does not work.' };
    } catch (cause) {
      return { outcome: 'FAILED', code: 'DRIVER_FAILED', detail: sentenceOf(cause) };
    }
  }

  start(): void {
    this.#ports.pulse?.beat(this.#loop, ROUND_MS);
    void this.#load();
  }

  /** Never loaded: the reason is the component's health. */
  refuse(reason: string): void {
    this.#stopped = true;
    this.#become('ERROR', reason);
  }

  /** Reads out of turn, so that a change of state is reported at once. */
  readNow(): void {
    void this.#read();
  }

  /** Outputs safe first, then the driver. Never rejects; a driver that hangs is left behind. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ports.pulse?.end(this.#loop);
    this.#settle();
    const begun = this.#instance !== undefined;
    await this.#unload();
    if (this.#outputs.length === 0) return;
    // From here on nobody watches the outputs: not the driver's word, the level itself is what counts.
    if (begun) await this.#writeSafe();
    await this.#ports.guard.release(this.#guardId).catch(() => undefined);
  }

  get #loop(): string {
    return `component ${this.component.componentId}`;
  }

  /** The next round. */
  #later(waitMs: number, run: () => Promise<void>): void {
    this.#cancelNext = this.#ports.clock.after(waitMs, () => void run());
    if (!this.#stopped) this.#ports.pulse?.beat(this.#loop, waitMs + ROUND_MS);
  }

  get #guardId(): string {
    return String(this.component.componentId);
  }

  async #load(): Promise<void> {
    const { drivers, config } = this.#ports;
    try {
      const definition = await this.#bounded(config.driverStartTimeoutMs, 'loading', () =>
        drivers.load(this.component.componentType, this.component),
      );
      if (this.#stopped) return;
      this.#intervalMs = config.sampleIntervalMs ?? definition.sampleIntervalMs;
      await this.#begin(definition);
      if (this.#stopped) return;
      this.#failedStarts = 0;
      this.#restartWhenLost();
      if (definition.kind === 'actuator') this.#become('OK');
      void this.#read();
    } catch (cause) {
      await this.#unload();
      if (this.#stopped) return;
      const waitMs = Math.min(
        config.componentRetryMaxMs,
        config.componentRetryMs * 2 ** this.#failedStarts++,
      );
      this.#become('ERROR', sentenceOf(cause));
      this.#later(waitMs, () => this.#load());
    }
  }

  async #begin(definition: DriverDefinition): Promise<void> {
    const { hardware, guard, clock, config } = this.#ports;
    const wiring = definition.parseWiring(this.component);
    const wired = Object.values(this.component.pins);
    const foreign = definition.pins(wiring).find(({ bcm }) => !wired.includes(bcm));
    if (foreign !== undefined)
      throw new DriverError(
        'DRIVER_INVALID',
        `The driver wants GPIO ${foreign.bcm}, which the component does not have.`,
      );
    this.#outputs = definition.safeOutputs(wiring, hardware);
    const instance = definition.create({
      ...wiring,
      hardware,
      clock: driverClock(clock),
      logger: this.#logger,
    });
    this.#instance = instance;
    // Safe before a driver that may hang touches it; where the line has no file before it is opened, right after.
    await guard.protect(this.#guardId, this.#outputs).catch(() => undefined);
    await this.#bounded(config.driverStartTimeoutMs, 'starting', () => instance.start());
    // Its outputs were released: naming them again would write to a line that may be another component's by now.
    if (this.#stopped) return;
    if (this.#outputs.length > 0)
      await guard.protect(this.#guardId, this.#outputs).catch((cause: unknown) => {
        this.#logger.warn('output not guarded yet; it will not be switched on', { cause });
      });
    if (this.#stopped) return;
    if (definition.kind === 'actuator' && instance.kind === 'actuator')
      this.#actuator = new Actuator({
        componentId: this.component.componentId,
        definition,
        wiring,
        instance,
        outputs: this.#outputs,
        guard,
        clock,
        logger: this.#logger,
        runTimeoutMs: config.driverRunTimeoutMs,
        onChange: () => this.readNow(),
        onHung: () => {
          if (this.#instance !== instance) return;
          this.#become(
            'ERROR',
            `the driver of ${this.component.componentType} does not end a run; it is started again`,
          );
          void this.#restart();
        },
      });
  }

  async #unload(): Promise<void> {
    this.#cancelNext();
    await this.#actuator?.close();
    this.#actuator = undefined;
    const instance = this.#instance;
    this.#instance = undefined;
    if (instance === undefined) return;
    try {
      await this.#bounded(this.#ports.config.driverStopTimeoutMs, 'stopping', () => instance.stop());
    } catch (cause) {
      this.#logger.error('driver does not stop', { cause });
      await this.#writeSafe();
    }
  }

  async #writeSafe(): Promise<void> {
    await this.#ports.guard
      .makeSafe(this.#outputs)
      .catch((cause: unknown) => this.#logger.error('output cannot be made safe', { cause }));
  }

  async #read(): Promise<void> {
    const instance = this.#instance;
    if (instance === undefined || this.#stopped) return;
    // What is being read now may be the value from before the change.
    if (this.#reading?.instance === instance) {
      this.#reading.again = true;
      return;
    }
    const { clock, config, events } = this.#ports;
    this.#cancelNext();
    const reading = { instance, again: false };
    this.#reading = reading;
    const startedAt = clock.monotonicMs();
    try {
      const values = await this.#bounded(config.driverReadTimeoutMs, 'reading', (signal) =>
        instance.read(signal),
      );
      if (this.#instance !== instance) return;
      this.#failedReads = 0;
      this.#become('OK');
      if (values.length > 0) events.onMeasured(this.component, values, this.#changed(values, instance.kind));
    } catch (cause) {
      if (this.#instance !== instance) return;
      this.#failedReads++;
      this.#become('ERROR', sentenceOf(cause));
    } finally {
      if (this.#reading === reading) this.#reading = undefined;
    }
    if (this.#failedReads >= READS_BEFORE_RESTART) return await this.#restart();
    const elapsedMs = clock.monotonicMs() - startedAt;
    const nextInMs = reading.again ? 0 : Math.max(0, (this.#intervalMs ?? UNKNOWN_INTERVAL_MS) - elapsedMs);
    this.#later(nextInMs, () => this.#read());
  }

  #restartWhenLost(): void {
    const instance = this.#instance;
    void instance?.lost?.then((error) => {
      if (this.#instance !== instance || this.#stopped) return;
      this.#become('ERROR', sentenceOf(error));
      void this.#restart();
    });
  }

  async #restart(): Promise<void> {
    this.#failedReads = 0;
    await this.#unload();
    if (this.#stopped) return;
    const { config } = this.#ports;
    const waitMs = Math.min(config.componentRetryMaxMs, config.componentRetryMs * 2 ** this.#failedStarts++);
    this.#later(waitMs, () => this.#load());
  }

  /** Whether an output is in another state than it was reported last. */
  #changed(values: readonly Measurement[], kind: 'sensor' | 'actuator'): boolean {
    let changed = false;
    for (const { metric, value } of values) {
      changed ||= this.#last.has(metric) && this.#last.get(metric) !== value;
      this.#last.set(metric, value);
    }
    return changed && kind === 'actuator';
  }

  #become(status: ComponentHealth['status'], reason?: string): void {
    this.#settle();
    const { componentId } = this.component;
    const before = this.#health;
    this.#health = {
      componentId,
      status,
      ...(reason !== undefined && { reason: sentenceOf(reason) }),
      ...this.#unusualInterval(),
    };
    if (this.#health.status === before?.status && this.#health.reason === before.reason) return;
    if (status === 'ERROR') this.#logger.warn('component does not work', { reason });
    else this.#logger.info('component works');
    this.#ports.events.onHealth(this.component, this.#health);
  }

  /** The cloud judges its silence by the type's interval, where nothing else is said. */
  #unusualInterval(): Pick<ComponentHealth, 'sampleIntervalMs'> {
    const { componentType } = this.component;
    const usual = builtInComponentTypes.find((type) => type.componentType === componentType);
    const actualMs = this.#intervalMs;
    if (actualMs === undefined || actualMs === usual?.sampleIntervalMs) return {};
    return { sampleIntervalMs: Math.min(Math.ceil(actualMs), LONGEST_SAID_MS) };
  }

  #bounded<T>(timeoutMs: number, doing: string, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const what = `${doing} the driver of ${this.component.componentType}`;
    return withTimeout(
      { clock: driverClock(this.#ports.clock), timeoutMs, what },
      async (signal) => await task(signal),
    );
  }
}
