import {
  type ActuatorDefinition,
  type ActuatorInstance,
  type CheckedAction,
  DriverError,
  type SafeOutput,
  type Wiring,
  withTimeout,
} from '@ares/hardware-drivers';
import type { CommandOutcome, CommandProblem } from '@ares/protocol';
import { type Clock, delay } from '../ports/clock.ts';
import type { Guard } from '../ports/guard.ts';
import type { Logger } from '../ports/logger.ts';
import { driverClock } from './driver-clock.ts';
import { sentenceOf } from './sentence.ts';

/** How an action ended. */
export interface ActionOutcome {
  readonly outcome: CommandOutcome;
  readonly code?: CommandProblem;
  readonly detail?: string;
  /** The level read back is the one that was ordered. */
  readonly verified?: boolean;
  /** Ms from now after which the output goes safe by itself. */
  readonly leaseMs?: number;
}

/** Asked right before an output leaves its safe state; an answer refuses. Last chance to see that it is too late. */
export type Gate = () => ActionOutcome | undefined;

const MAX_QUEUED = 8;
/** How long an aborted run may take to let go before the output is switched off over its head. */
const LET_GO_MS = 200;
/** How long a driver may take to switch off before its level is written past it. */
const SAFE_TIMEOUT_MS = 1_000;
/** A rest between two runs, or a late answer, that is over within this is waited for; a longer one refuses the command. */
const WAITED_REST_MS = 1_000;

/**
 * One actuator with its lease.
 *
 * Invariants: one action at a time; a safe action waits for nothing, aborts the one at work and empties the queue;
 * an output leaves its safe state only while the guard holds a timer for it; all renewals together stay within the
 * driver's longest run, counted from the first "on"; whatever goes wrong ends in the safe state.
 */
export class Actuator {
  readonly #id: string;
  readonly #definition: ActuatorDefinition;
  readonly #wiring: Wiring;
  readonly #instance: ActuatorInstance;
  readonly #outputs: readonly SafeOutput[];
  readonly #guard: Guard;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #runTimeoutMs: number;
  readonly #onChange: () => void;
  readonly #onHung: () => void;
  #tail: Promise<unknown> = Promise.resolve();
  #queued = 0;
  /** Grows with each safe action: what was asked before it is overtaken. */
  #generation = 0;
  /** Safe actions at work; what comes after them begins when they are over. */
  #resting: Promise<unknown> = Promise.resolve();
  #working: Work | undefined;
  #onSince: number | undefined;
  #leaseEndsAt = 0;
  /** A call that was given up but has not ended: it may still change the output. Settles when it has, and is undone. */
  #hanging: Promise<void> | undefined;
  #closed = false;
  #cancelLease: () => void = () => undefined;

  constructor(options: {
    readonly componentId: number;
    readonly definition: ActuatorDefinition;
    readonly wiring: Wiring;
    readonly instance: ActuatorInstance;
    readonly outputs: readonly SafeOutput[];
    readonly guard: Guard;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly runTimeoutMs: number;
    /** The output may have changed: read it and report. */
    readonly onChange: () => void;
    /** A run does not end although it was given up: the driver needs a new start. */
    readonly onHung: () => void;
  }) {
    this.#id = String(options.componentId);
    this.#definition = options.definition;
    this.#wiring = options.wiring;
    this.#instance = options.instance;
    this.#outputs = options.outputs;
    this.#guard = options.guard;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#runTimeoutMs = options.runTimeoutMs;
    this.#onChange = options.onChange;
    this.#onHung = options.onHung;
  }

  /** @throws {DriverError} ACTION_UNKNOWN, ARGS_INVALID, RUN_TOO_LONG */
  check(action: string, args: unknown): CheckedAction {
    return this.#definition.checkAction(this.#wiring, action, args);
  }

  /** In its turn. Never rejects. */
  run(checked: CheckedAction, gate: Gate): Promise<ActionOutcome> {
    if (checked.safe) return this.makeSafe(checked.action, checked.args);
    if (this.#queued >= MAX_QUEUED)
      return Promise.resolve({
        outcome: 'REJECTED',
        code: 'BUSY',
        detail: 'Too many commands wait already.',
      });
    const generation = this.#generation;
    this.#queued++;
    const result = this.#tail.then(() => this.#turnOn(checked, gate, generation));
    this.#tail = result.finally(() => {
      this.#queued--;
    });
    return result;
  }

  /** At once, whatever runs. Past the driver when the driver fails. Never rejects. */
  makeSafe(action = 'off', args: unknown = {}): Promise<ActionOutcome> {
    this.#generation++;
    return this.#rest(action, args);
  }

  /** Safe for the last time: the driver is about to be stopped. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.makeSafe();
  }

  /** Safe without overtaking anything: what waits in the queue still has its turn, afterwards. */
  #rest(action = 'off', args: unknown = {}): Promise<ActionOutcome> {
    const resting = this.#goSafe(action, args);
    this.#resting = Promise.all([this.#resting, resting]).then(() => undefined);
    return resting;
  }

  async #goSafe(action: string, args: unknown): Promise<ActionOutcome> {
    this.#cancelLease();
    const working = this.#working;
    working?.abort.abort(new DriverError('NOT_RUNNING', 'overtaken by a safe action'));
    if (working !== undefined) await Promise.race([working.settled, delay(this.#clock, LET_GO_MS)]);
    try {
      await this.#call(action, args, SAFE_TIMEOUT_MS);
      const level = await this.#level(SAFE_TIMEOUT_MS);
      if (level === true)
        throw new DriverError('OUTPUT_STUCK', 'the output reads on after it was switched off');
      await this.#atRest();
      return { outcome: 'COMPLETED', ...(level !== undefined && { verified: true }) };
    } catch (cause) {
      return await this.#forceSafe(cause);
    } finally {
      this.#onChange();
    }
  }

  async #turnOn(
    checked: CheckedAction,
    gate: Gate,
    generation: number,
    mayWait = true,
  ): Promise<ActionOutcome> {
    await this.#rested();
    // On a busy machine an answer comes late, and soon all the same.
    if (this.#hanging !== undefined) {
      await Promise.race([this.#hanging, delay(this.#clock, WAITED_REST_MS)]);
      await this.#rested();
    }
    const refused =
      this.#overtaken(generation) ?? this.#unusable() ?? this.#beyondLimit(checked.leaseMs) ?? gate();
    if (refused !== undefined) return refused;
    // A renewal on its way is not cut off by the end of the lease that it renews.
    const formerEnd = this.#leaseEndsAt;
    this.#cancelLease();
    try {
      await this.#guard.arm(this.#id, checked.leaseMs, this.#outputs);
    } catch (cause) {
      this.#endLeaseAt(formerEnd);
      return {
        outcome: 'REJECTED',
        code: 'GUARD_UNAVAILABLE',
        detail: `Nothing is switched on without its guard: ${sentenceOf(cause)}`,
      };
    }
    // Arming waited for another process: what was true before it may not be any more.
    const late = this.#overtaken(generation) ?? gate();
    if (late !== undefined) {
      await this.#restoreLease(formerEnd);
      return late;
    }
    const now = this.#clock.monotonicMs();
    this.#onSince ??= now;
    this.#endLeaseAt(now + checked.leaseMs);
    try {
      return await this.#act(checked, generation);
    } catch (cause) {
      const overtaken = this.#overtaken(generation);
      if (overtaken !== undefined) return overtaken;
      const restMs = restOf(cause);
      if (restMs === undefined) this.#logger.warn('action failed; the output is made safe', { cause });
      await this.#rest();
      if (!mayWait || restMs === undefined || restMs > WAITED_REST_MS) return failureOf(cause);
      await delay(this.#clock, restMs);
      return await this.#turnOn(checked, gate, generation, false);
    }
  }

  /** @throws whatever the driver throws; TIMED_OUT, OUTPUT_STUCK */
  async #act(checked: CheckedAction, generation: number): Promise<ActionOutcome> {
    const abort = new AbortController();
    const running = this.#call(checked.action, checked.args, this.#runTimeoutMs, abort.signal);
    const work: Work = { abort, settled: running.catch(() => undefined), outlived: false };
    this.#working = work;
    try {
      await running;
      const level = await this.#level(this.#runTimeoutMs);
      const overtaken = this.#overtaken(generation);
      if (overtaken !== undefined) {
        // It got through after the safe action: once more, so that the safe one has the last word.
        await this.makeSafe();
        if (!work.outlived) return overtaken;
        const detail = 'Its time was over before it was confirmed.';
        return { outcome: 'COMPLETED', detail, leaseMs: 0, ...(level === true && { verified: true }) };
      }
      if (level === false)
        throw new DriverError('OUTPUT_STUCK', 'the output reads off after it was switched on');
      const leaseMs = Math.max(0, this.#leaseEndsAt - this.#clock.monotonicMs());
      return { outcome: 'COMPLETED', leaseMs, ...(level !== undefined && { verified: true }) };
    } catch (cause) {
      if (!work.outlived) throw cause;
      const detail = 'Its time was over before the driver had done it; the output is off.';
      return { outcome: 'FAILED', code: 'DRIVER_FAILED', detail };
    } finally {
      this.#working = undefined;
      this.#onChange();
    }
  }

  #unusable(): ActionOutcome | undefined {
    if (this.#hanging === undefined && !this.#closed) return undefined;
    const detail = this.#closed
      ? 'The component is being taken away or started again.'
      : 'The driver does not answer; it is started again if that goes on.';
    return { outcome: 'REJECTED', code: 'COMPONENT_ERROR', detail };
  }

  #overtaken(generation: number): ActionOutcome | undefined {
    if (generation === this.#generation) return undefined;
    return { outcome: 'STALE', code: 'STALE', detail: 'A stop, or the end of the run before, came first.' };
  }

  #beyondLimit(leaseMs: number): ActionOutcome | undefined {
    const { longestRunMs } = this.#definition.limits(this.#wiring);
    const now = this.#clock.monotonicMs();
    if (leaseMs > 0 && now - (this.#onSince ?? now) + leaseMs <= longestRunMs) return undefined;
    const detail = `It may run for ${longestRunMs} ms counted from the first "on"; switch it off first.`;
    return { outcome: 'REJECTED', code: 'LIMIT', detail };
  }

  /** The end of a safe action takes the lease away: an output that went on meanwhile would be without one. */
  async #rested(): Promise<void> {
    let seen: Promise<unknown> | undefined;
    while (seen !== this.#resting) {
      seen = this.#resting;
      await seen;
    }
  }

  /** What waits in the queue may begin a run of its own afterwards; what is at work has outlived its lease. */
  #endLeaseAt(endsAt: number): void {
    if (this.#onSince === undefined) return;
    this.#leaseEndsAt = endsAt;
    this.#cancelLease();
    this.#cancelLease = this.#clock.after(endsAt - this.#clock.monotonicMs(), () => {
      if (this.#working === undefined) return void this.#rest();
      this.#working.outlived = true;
      void this.makeSafe();
    });
  }

  async #restoreLease(formerEnd: number): Promise<void> {
    const leftMs = formerEnd - this.#clock.monotonicMs();
    this.#endLeaseAt(formerEnd);
    if (this.#onSince !== undefined && leftMs > 0) {
      await this.#guard.arm(this.#id, leftMs, this.#outputs).catch(() => this.makeSafe());
    } else await this.#guard.disarm(this.#id).catch(() => undefined);
  }

  /** The output is off and read back off: the guard's timer has nothing left to do. */
  async #atRest(): Promise<void> {
    this.#onSince = undefined;
    this.#cancelLease();
    await this.#guard.disarm(this.#id).catch(() => undefined);
  }

  async #forceSafe(cause: unknown): Promise<ActionOutcome> {
    this.#logger.error('driver cannot make the output safe; its level is written past the driver', { cause });
    try {
      await this.#guard.makeSafe(this.#outputs);
    } catch (second) {
      this.#logger.error('output cannot be made safe', { cause: second });
      return { outcome: 'FAILED', code: 'DRIVER_FAILED', detail: sentenceOf(second), verified: false };
    }
    await this.#atRest();
    return { outcome: 'COMPLETED', detail: `Made safe past the driver: ${sentenceOf(cause)}` };
  }

  #call(action: string, args: unknown, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return withTimeout(
      {
        clock: driverClock(this.#clock),
        timeoutMs,
        what: `${this.#definition.type} ${action}`,
        ...(signal !== undefined && { signal }),
      },
      (inner) => {
        const run = this.#instance.run(action, args, inner);
        inner.addEventListener('abort', () => this.#giveUp(run), { once: true });
        return run;
      },
    );
  }

  /** A run that was told to end and may not do so: what it still does is undone as soon as it is over. */
  #giveUp(run: Promise<void>): void {
    const cancel = this.#clock.after(this.#runTimeoutMs, () => this.#onHung());
    const over = () => {
      cancel();
      if (this.#hanging === hanging) this.#hanging = undefined;
      if (!this.#closed) void this.#rest();
    };
    const hanging = run.then(over, over);
    this.#hanging = hanging;
  }

  /** Of a switch: whether it is on, as read back. `undefined` for what is no switch. */
  async #level(timeoutMs: number): Promise<boolean | undefined> {
    const switches = Object.entries(this.#definition.metrics).filter(
      ([, { unit, min, max }]) => unit === '1' && min === 0 && max === 1,
    );
    if (switches.length === 0) return undefined;
    const values = await withTimeout(
      {
        clock: driverClock(this.#clock),
        timeoutMs,
        what: `${this.#definition.type} read`,
      },
      (signal) => this.#instance.read(signal),
    );
    return values.some(({ metric, value }) => value === 1 && switches.some(([name]) => name === metric));
  }
}

/** An action at work. */
interface Work {
  readonly abort: AbortController;
  readonly settled: Promise<unknown>;
  /** Its own lease ended before it was confirmed. */
  outlived: boolean;
}

/** How long the driver still rests, when that is why it refused. */
function restOf(cause: unknown): number | undefined {
  if (!(cause instanceof DriverError) || cause.code !== 'MINIMUM_OFF_TIME') return undefined;
  const { retryAfterMs } = cause.details;
  return typeof retryAfterMs === 'number' ? Math.max(1, retryAfterMs) : Number.POSITIVE_INFINITY;
}

function failureOf(cause: unknown): ActionOutcome {
  const detail = sentenceOf(cause);
  if (cause instanceof DriverError) {
    if (cause.code === 'MINIMUM_OFF_TIME' || cause.code === 'RUN_TOO_LONG')
      return { outcome: 'REJECTED', code: 'LIMIT', detail };
    if (cause.code === 'ARGS_INVALID') return { outcome: 'REJECTED', code: 'BAD_ARGUMENTS', detail };
  }
  return { outcome: 'FAILED', code: 'DRIVER_FAILED', detail };
}
