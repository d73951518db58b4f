import { type Clock, delay } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Pulse } from '../ports/pulse.ts';
import type { LifecycleRecord, LifecycleStore } from './lifecycle-store.ts';
import { type LifecycleEvent, type LifecycleStep, next } from './transitions.ts';

/** Something that happened, with what people and the next start must know of it. */
export interface Happening {
  readonly event: LifecycleEvent;
  /** One sentence for people. */
  readonly why: string;
  /** Replaces what is remembered of the cloud; `null` forgets it. */
  readonly cloud?: LifecycleRecord['cloud'];
}

/** What a step does. It resolves with what ended it, or with nothing when the signal did. */
export type StepExecutor = (signal: AbortSignal) => Promise<Happening | undefined>;
export type StepExecutors = { readonly [S in LifecycleStep]: StepExecutor };

export interface LifecycleRunner {
  /** Runs until `stop`; rejects when a step fails in a way that it does not handle itself. */
  run(): Promise<void>;
  /**
   * Ends the present step and moves on; resolves when the new state is saved and its step begins.
   * @throws {LifecycleError} when the state does not take the event; the present step then goes on
   */
  dispatch(happening: Happening): Promise<void>;
  record(): LifecycleRecord;
  stop(): Promise<void>;
}

/** A step that fails without saying what that means is tried again after this. */
const RETRY_AFTER_MS = 5_000;
/** A step that was told to end must have ended after this, ms. */
const END_WITHIN_MS = 120_000;
const LOOP = 'change of state';

/**
 * The one owner of concurrency in the agent's life.
 *
 * Invariants: one step runs at a time; the next begins when the one before has ended; a state is on the disk before
 * its step begins, so a start after a power cut continues there; an event from outside that has no row changes
 * nothing.
 */
export function createLifecycleRunner(ports: {
  readonly store: LifecycleStore;
  readonly executors: StepExecutors;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pulse?: Pulse | undefined;
  onState(record: LifecycleRecord): void;
}): LifecycleRunner {
  const { store, executors, clock, logger } = ports;
  let record: LifecycleRecord = store.load() ?? {
    v: 1,
    state: 'UNPROVISIONED',
    since: clock.now(),
    why: 'The device has not been set up.',
    cloud: null,
  };
  let stopping = false;
  let stepSignal = new AbortController();
  const waiting: { readonly happening: Happening; readonly moved: PromiseWithResolvers<void> }[] = [];
  let finished: Promise<void> | undefined;

  const move = (happening: Happening): LifecycleStep => {
    const { to, step } = next(record.state, happening.event);
    const changed = to !== record.state;
    record = {
      v: 1,
      state: to,
      since: changed ? clock.now() : record.since,
      why: happening.event === 'started' ? record.why : happening.why,
      cloud: happening.cloud === undefined ? record.cloud : happening.cloud,
    };
    if (changed || happening.event !== 'started') store.save(record);
    logger.info('state', { state: to, event: happening.event, why: record.why });
    ports.onState(record);
    return step;
  };

  const runStep = async (step: LifecycleStep): Promise<Happening | undefined> => {
    const { signal } = stepSignal;
    while (!signal.aborted) {
      try {
        const happening = await executors[step](signal);
        if (happening !== undefined || signal.aborted) return happening;
        throw new Error(`the step ${step} ended without saying why`);
      } catch (cause) {
        if (signal.aborted) break;
        logger.error('a step failed and is tried again', { step, cause });
        await delay(clock, RETRY_AFTER_MS, signal).catch(() => undefined);
      }
    }
    return undefined;
  };

  const loop = async () => {
    let step = move({ event: 'started', why: record.why });
    while (!stopping) {
      if (waiting.length === 0) {
        const own = await runStep(step);
        // What came from outside wins: it was accepted while this step still ran.
        if (own !== undefined && waiting.length === 0) {
          step = move(own);
          continue;
        }
      }
      stepSignal = new AbortController();
      ports.pulse?.end(LOOP);
      if (stopping) break;
      const request = waiting.shift();
      if (request === undefined) continue;
      try {
        step = move(request.happening);
        request.moved.resolve();
      } catch (cause) {
        request.moved.reject(cause);
      }
    }
    for (const { moved } of waiting) moved.reject(new Error('The agent is stopping.'));
  };

  return {
    run() {
      finished = loop();
      return finished;
    },
    async dispatch(happening) {
      if (stopping) throw new Error('The agent is stopping.');
      next(record.state, happening.event);
      const moved = Promise.withResolvers<void>();
      waiting.push({ happening, moved });
      ports.pulse?.beat(LOOP, END_WITHIN_MS);
      stepSignal.abort();
      await moved.promise;
    },
    record: () => record,
    async stop() {
      stopping = true;
      stepSignal.abort();
      await finished;
    },
  };
}
