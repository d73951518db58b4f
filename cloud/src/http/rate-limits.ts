import { ProblemError } from '@ares/protocol';
import type { RouteId } from '@ares/protocol/http';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Limit, RateLimiter, RateLimiters } from '../ports/rate-limiter.ts';
import type { RequestContext } from './handlers.ts';

export type { Limit } from '../ports/rate-limiter.ts';

/** Limits of the API. Wrong passwords are counted by the account service itself. */
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
  /** When the request is understood, before its handler. @throws {ProblemError} TOO_MANY_REQUESTS, UNAVAILABLE */
  admitTo(route: RouteId, context: RequestContext): Promise<void>;
}

/**
 * Sign-in, accounts and claims are refused while they cannot be counted; orders and signed times go on, counted by
 * each process. How much one address may load a process, each process judges by itself.
 */
export function createRateLimits(config: LimitConfig, { limiter }: RateLimiters): RateLimits {
  const everything = limiter('everything', config.everything, 'onlyHere');
  const commands = { limiter: limiter('command', config.sendCommand, 'countHere'), key: byUser };
  const routes: Partial<Record<RouteId, { limiter: RateLimiter; key: Key }>> = {
    register: { limiter: limiter('register', config.register, 'refuse'), key: bySource },
    login: { limiter: limiter('login', config.login, 'refuse'), key: bySource },
    claim: { limiter: limiter('claim', config.claim, 'refuse'), key: byUser },
    deviceTime: { limiter: limiter('device-time', config.deviceTime, 'countHere'), key: bySource },
    sendCommand: commands,
    changeWifi: commands,
  };
  return {
    admit: (source) => everything.consume(source),
    async admitTo(route, context) {
      const limit = routes[route];
      if (limit !== undefined) await limit.limiter.consume(limit.key(context));
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
