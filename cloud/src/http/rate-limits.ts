import { ProblemError } from '@ares/protocol';
import type { RouteId } from '@ares/protocol/http';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { RequestContext } from './handlers.ts';

/** So many in so many seconds, per key. */
export interface Limit {
  readonly points: number;
  readonly seconds: number;
}

/** Limits of one process. Wrong passwords are counted by the account service itself. */
export interface LimitConfig {
  /** Any request, per address. */
  readonly everything: Limit;
  /** New accounts, per address. */
  readonly register: Limit;
  /** Attempts to sign in, right or wrong, per address. */
  readonly login: Limit;
  /** Claims, per user. */
  readonly claim: Limit;
  /** Signed times, per address: many devices may be behind one. */
  readonly deviceTime: Limit;
  /** Commands, per user. */
  readonly sendCommand: Limit;
}

export const defaultLimits: LimitConfig = {
  everything: { points: 3_000, seconds: 1 },
  register: { points: 30, seconds: 3_600 },
  login: { points: 300, seconds: 900 },
  claim: { points: 60, seconds: 600 },
  deviceTime: { points: 600, seconds: 60 },
  sendCommand: { points: 600, seconds: 60 },
};

type Key = (context: RequestContext) => string;

const bySource: Key = ({ source }) => source;
const byUser: Key = ({ caller }) => String((caller as { userId?: number } | undefined)?.userId);

export interface RateLimits {
  /** Before anything else is done for a request. @throws {ProblemError} TOO_MANY_REQUESTS */
  admit(source: string): Promise<void>;
  /** When the request is understood, before its handler. @throws {ProblemError} TOO_MANY_REQUESTS */
  admitTo(route: RouteId, context: RequestContext): Promise<void>;
}

export function createRateLimits(config: LimitConfig): RateLimits {
  const everything = limiter(config.everything);
  const commands = { limiter: limiter(config.sendCommand), key: byUser };
  const routes: Partial<Record<RouteId, { limiter: RateLimiterMemory; key: Key }>> = {
    register: { limiter: limiter(config.register), key: bySource },
    login: { limiter: limiter(config.login), key: bySource },
    claim: { limiter: limiter(config.claim), key: byUser },
    deviceTime: { limiter: limiter(config.deviceTime), key: bySource },
    sendCommand: commands,
    changeWifi: commands,
  };
  return {
    admit: (source) => consume(everything, source),
    async admitTo(route, context) {
      const limit = routes[route];
      if (limit !== undefined) await consume(limit.limiter, limit.key(context));
    },
  };
}

/** A counter in the memory of this process. */
export function limiter({ points, seconds }: Limit): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration: seconds });
}

/** @throws {ProblemError} TOO_MANY_REQUESTS */
export async function consume(counter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await counter.consume(key);
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) throw tooMany(refusal);
    throw refusal;
  }
}

function tooMany({ msBeforeNext }: RateLimiterRes): ProblemError {
  const retryAfterSeconds = Math.max(1, Math.ceil(msBeforeNext / 1_000));
  return new ProblemError('TOO_MANY_REQUESTS', `Too many requests; try again in ${retryAfterSeconds} s.`, {
    retryAfterSeconds,
  });
}
