import type { Clock } from '../../src/ports/clock.ts';

/** A clock that stands still until it is told; wall and monotonic time move together unless the wall is set. */
export interface FakeClock extends Clock {
  /** Moves time on, running in order every timer that is due by then, and lets what they started settle. */
  advance(durationMs: number): Promise<void>;
  /** Sets the wall clock; monotonic time goes on as before. */
  setWall(epochMs: number): void;
  setSynchronised(synchronised: boolean): void;
  /** The time that a wall clock would show if nobody had set it wrong. */
  trueNow(): number;
  readonly timers: number;
}

/** 2026-11-20T09:00:00Z. */
export const fakeNow = 1_795_165_200_000;

export function createFakeClock(options: { wall?: number; synchronised?: boolean } = {}): FakeClock {
  let monotonicMs = 1_000;
  const trueOffset = (options.wall ?? fakeNow) - monotonicMs;
  let wallOffset = trueOffset;
  let synchronised = options.synchronised ?? true;
  let timers: { atMs: number; run: () => void }[] = [];
  return {
    now: () => monotonicMs + wallOffset,
    monotonicMs: () => monotonicMs,
    synchronised: () => synchronised,
    after: (delayMs, run) => {
      const timer = { atMs: monotonicMs + Math.max(0, delayMs), run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance: async (durationMs) => {
      const untilMs = monotonicMs + durationMs;
      await settle();
      for (;;) {
        const [next] = timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        monotonicMs = Math.max(monotonicMs, next.atMs);
        next.run();
        await settle();
      }
      monotonicMs = untilMs;
    },
    setWall: (epochMs) => {
      wallOffset = epochMs - monotonicMs;
    },
    setSynchronised: (now) => {
      synchronised = now;
    },
    trueNow: () => monotonicMs + trueOffset,
    get timers() {
      return timers.length;
    },
  };
}

/** Lets everything run that waits for nothing but its turn (signatures are verified by a thread pool). */
export async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for a condition in real time; for what happens in another process or thread. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 5_000,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
