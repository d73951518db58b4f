/** So many in so many seconds, per key. */
export interface Limit {
  readonly points: number;
  readonly seconds: number;
}

/**
 * Who counts. `refuse`: all processes together, and while their common counters do not answer nobody passes, so that
 * whoever brings these down cannot guess freely; `countHere`: together, and meanwhile each for itself, for what must
 * go on working; `onlyHere`: each for itself always, to bound the load on the process itself.
 */
export type Counting = 'refuse' | 'countHere' | 'onlyHere';

/** Counts what happens per key. */
export interface RateLimiter {
  /** Counts one. @throws {ProblemError} TOO_MANY_REQUESTS; UNAVAILABLE when it cannot count and so refuses */
  consume(key: string): Promise<void>;
  /** Takes one back; never throws: who is counted once too often has lost little. */
  reward(key: string): Promise<void>;
  /** Forgets the key; never throws. */
  delete(key: string): Promise<void>;
}

export interface RateLimiters {
  /** @param name distinguishes this limit from all others; the same in every process */
  limiter(name: string, limit: Limit, counting: Counting): RateLimiter;
}
