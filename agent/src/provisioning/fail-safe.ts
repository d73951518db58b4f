import { type Clock, delay } from '../ports/clock.ts';
import { StepError, toStepError } from './step-error.ts';

/** Bounds of a transaction (threats BLE-11; Matter's ArmFailSafe). */
export interface FailSafeConfig {
  /** Longest time without a step that succeeds, ms. */
  readonly perStepMs: number;
  /** Longest time of the whole transaction, over restarts, ms. */
  readonly cumulativeMs: number;
  /** Longest time that a failure which may pass is waited out, ms; the clock is waited for to the end. */
  readonly patienceMs: number;
  /** Pause between two attempts, ms. */
  readonly retryAfterMs: number;
}

export const defaultFailSafe: FailSafeConfig = {
  perStepMs: 120_000,
  cumulativeMs: 900_000,
  patienceMs: 30_000,
  retryAfterMs: 2_000,
};

/** Of a change of network: a device that works elsewhere must not be away for a quarter of an hour. */
export const networkChangeFailSafe: FailSafeConfig = {
  ...defaultFailSafe,
  perStepMs: 90_000,
  cumulativeMs: 240_000,
};

/** The timer that ends a transaction which makes no progress. */
export interface FailSafe {
  /** Runs one step, trying again what may pass. @throws {StepError} its failure, or `TIMED_OUT` */
  step(run: (signal: AbortSignal) => Promise<void>, outer: AbortSignal): Promise<void>;
  /** Time spent on the transaction so far, ms. */
  spentMs(): number;
}

export function createFailSafe(options: {
  readonly clock: Clock;
  readonly config: FailSafeConfig;
  readonly spentMs: number;
  /** What a refusal by the cloud is called in this transaction. */
  readonly refused: 'CLAIM_REFUSED' | 'RECOVERY_REFUSED';
}): FailSafe {
  const { clock, config } = options;
  const startedAt = clock.monotonicMs();
  const spentMs = () => options.spentMs + clock.monotonicMs() - startedAt;

  async function attempts(
    run: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
    note: (e: StepError) => void,
  ) {
    const begun = clock.monotonicMs();
    for (;;) {
      try {
        return await run(signal);
      } catch (cause) {
        signal.throwIfAborted();
        const error = toStepError(cause, options.refused);
        const patient = error.code === 'CLOCK_UNTRUSTED' || clock.monotonicMs() - begun < config.patienceMs;
        if (!error.transient || !patient) throw error;
        note(error);
        await delay(clock, error.retryAfterMs ?? config.retryAfterMs, signal);
      }
    }
  }

  return {
    spentMs,
    async step(run, outer) {
      const limitMs = Math.min(config.perStepMs, config.cumulativeMs - spentMs());
      const timeout = new AbortController();
      const cancel = clock.after(Math.max(limitMs, 0), () => timeout.abort());
      let latest: StepError | undefined;
      try {
        await attempts(run, AbortSignal.any([outer, timeout.signal]), (error) => {
          latest = error;
        });
      } catch (cause) {
        if (outer.aborted || !timeout.signal.aborted) throw cause;
        // What kept it from succeeding says more than that time ran out.
        throw latest ?? new StepError('TIMED_OUT', 'The step took too long.', { cause });
      } finally {
        cancel();
      }
    },
  };
}
