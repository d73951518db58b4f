import type { RouteId } from '@ares/protocol/http';
import type { Limit, RateLimiter, RateLimiters } from '../ports/rate-limiter.ts';
import type { RequestContext } from './handlers.ts';

/** Limits of the API. Wrong passwords are counted by the account service itself. */
export interface LimitConfig {
  /** Any request, per address. */
  readonly everything: Limit;
  /** New accounts, per address. */
  readonly register: Limit;
  /** Attempts to sign in, right or wrong, per address. */
  readonly login: Limit;
  /** Exchanges of refresh tokens, per address. */
  readonly refresh: Limit;
  /** Mails with a code that somebody asks for without signing in, per address. */
  readonly forgotPassword: Limit;
  /** Codes that are shown, per address. */
  readonly mailedCode: Limit;
  /** Claims, per user. */
  readonly claim: Limit;
  /** Signed times, per address: many devices may be behind one. */
  readonly deviceTime: Limit;
  /** Commands, per user. */
  readonly sendCommand: Limit;
  /** Mails to addresses that a user says are his, per user. */
  readonly changeEmail: Limit;
  /** Certificates of apps, per user: each is a signature, and a name that the broker learns. */
  readonly appCertificate: Limit;
  /** Answers that are kept for an Idempotency-Key, per user. */
  readonly keptAnswer: Limit;
}

export const defaultLimits: LimitConfig = {
  everything: { points: 3_000, seconds: 1 },
  register: { points: 30, seconds: 3_600 },
  login: { points: 300, seconds: 900 },
  refresh: { points: 600, seconds: 900 },
  forgotPassword: { points: 30, seconds: 3_600 },
  mailedCode: { points: 100, seconds: 3_600 },
  claim: { points: 60, seconds: 600 },
  deviceTime: { points: 600, seconds: 60 },
  sendCommand: { points: 600, seconds: 60 },
  changeEmail: { points: 10, seconds: 3_600 },
  appCertificate: { points: 60, seconds: 600 },
  keptAnswer: { points: 600, seconds: 60 },
};

type Key = (context: RequestContext) => string;

const bySource: Key = ({ source }) => source;
const byUser: Key = ({ caller }) => String((caller as { userId?: number } | undefined)?.userId);

export interface RateLimits {
  /** Before anything else is done for a request. @throws {ProblemError} TOO_MANY_REQUESTS */
  admit(source: string): Promise<void>;
  /** When the request is understood, before its handler. @throws {ProblemError} TOO_MANY_REQUESTS, UNAVAILABLE */
  admitTo(route: RouteId, context: RequestContext): Promise<void>;
  /** Before an answer is kept to be given again. @throws {ProblemError} TOO_MANY_REQUESTS */
  admitKept(userId: number): Promise<void>;
}

/**
 * Sign-in, accounts and claims are refused while they cannot be counted; orders and signed times go on, counted by
 * each process. How much one address may load a process, each process judges by itself.
 */
export function createRateLimits(config: LimitConfig, { limiter }: RateLimiters): RateLimits {
  const everything = limiter('everything', config.everything, 'onlyHere');
  const commands = { limiter: limiter('command', config.sendCommand, 'countHere'), key: byUser };
  const codes = { limiter: limiter('mailed-code', config.mailedCode, 'refuse'), key: bySource };
  const routes: Partial<Record<RouteId, { limiter: RateLimiter; key: Key }>> = {
    register: { limiter: limiter('register', config.register, 'refuse'), key: bySource },
    login: { limiter: limiter('login', config.login, 'refuse'), key: bySource },
    refresh: { limiter: limiter('refresh', config.refresh, 'countHere'), key: bySource },
    forgotPassword: {
      limiter: limiter('forgot-password', config.forgotPassword, 'refuse'),
      key: bySource,
    },
    resetPassword: codes,
    verifyEmail: codes,
    claim: { limiter: limiter('claim', config.claim, 'refuse'), key: byUser },
    deviceTime: { limiter: limiter('device-time', config.deviceTime, 'countHere'), key: bySource },
    sendCommand: commands,
    changeWifi: commands,
    changeEmail: { limiter: limiter('change-email', config.changeEmail, 'refuse'), key: byUser },
    appCertificate: {
      limiter: limiter('app-certificate', config.appCertificate, 'countHere'),
      key: byUser,
    },
  };
  const kept = limiter('kept-answer', config.keptAnswer, 'countHere');
  return {
    admit: (source) => everything.consume(source),
    admitKept: (userId) => kept.consume(String(userId)),
    async admitTo(route, context) {
      const limit = routes[route];
      if (limit !== undefined) await limit.limiter.consume(limit.key(context));
    },
  };
}
