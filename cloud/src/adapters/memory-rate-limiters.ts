import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Limit, RateLimiter, RateLimiters } from '../ports/rate-limiter.ts';
import { toRefusal } from './rate-limit-refusal.ts';

/** Counters of one process, which are always there. */
export const memoryRateLimiters: RateLimiters = { limiter: (_name, limit) => memoryRateLimiter(limit) };

export function memoryRateLimiter({ points, seconds }: Limit): RateLimiter {
  const counter = new RateLimiterMemory({ points, duration: seconds });
  return {
    async consume(key) {
      try {
        await counter.consume(key);
      } catch (thrown) {
        throw toRefusal(thrown);
      }
    },
    async reward(key) {
      await counter.reward(key);
    },
    async delete(key) {
      await counter.delete(key);
    },
  };
}
