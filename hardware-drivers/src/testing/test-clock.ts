import type { DriverClock } from '../hardware.ts';

/** A clock that stands still until it is told. */
export interface TestClock extends DriverClock {
  /** Moves time on, ending in order every delay that is over by then. */
  advance(durationMs: number): Promise<void>;
}

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/**
 * @param options.autoAdvance every delay moves the clock by itself and ends at once: for drivers that wait between
 *   attempts. Default false.
 */
export function createTestClock(options: { autoAdvance?: boolean } = {}): TestClock {
  let nowMs = 0;
  let sleepers: Sleeper[] = [];
  return {
    monotonicMs: () => nowMs,
    delay: async (durationMs, signal) => {
      signal?.throwIfAborted();
      if (options.autoAdvance === true) {
        nowMs += durationMs;
        await Promise.resolve();
        signal?.throwIfAborted();
        return;
      }
      await new Promise<void>((resolve, reject) => {
        const abort = () => {
          sleepers = sleepers.filter((other) => other !== sleeper);
          reject(signal?.reason as Error);
        };
        const wake = () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        };
        const sleeper = { atMs: nowMs + durationMs, wake };
        signal?.addEventListener('abort', abort, { once: true });
        sleepers.push(sleeper);
      });
    },
    advance: async (durationMs) => {
      const untilMs = nowMs + durationMs;
      for (;;) {
        const [next] = sleepers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        sleepers = sleepers.filter((sleeper) => sleeper !== next);
        nowMs = next.atMs;
        next.wake();
        // What woke up may sleep again within this span.
        await new Promise((resolve) => setImmediate(resolve));
      }
      nowMs = untilMs;
    },
  };
}
