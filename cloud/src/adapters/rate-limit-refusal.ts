import { ProblemError } from '@ares/protocol';
import { RateLimiterRes } from 'rate-limiter-flexible';

const AWAY_SECONDS = 5;

/** What a counter throws, as the caller of the API may see it. */
export function toRefusal(thrown: unknown): unknown {
  if (!(thrown instanceof RateLimiterRes)) return thrown;
  const retryAfterSeconds = Math.max(1, Math.ceil(thrown.msBeforeNext / 1_000));
  return new ProblemError('TOO_MANY_REQUESTS', `Too many requests; try again in ${retryAfterSeconds} s.`, {
    retryAfterSeconds,
  });
}

export function cannotCount(cause: unknown): ProblemError {
  return new ProblemError('UNAVAILABLE', 'Attempts cannot be counted right now; try again in a moment.', {
    retryAfterSeconds: AWAY_SECONDS,
    cause,
  });
}
