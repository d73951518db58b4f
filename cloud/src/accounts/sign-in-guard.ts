import { ProblemError } from '@ares/protocol';
import type { CloudDatabase } from '../ports/database.ts';
import type { Limit, RateLimiters } from '../ports/rate-limiter.ts';
import type { PasswordHasher } from './passwords.ts';
import { accountRepository } from './repository.ts';
import type { Account } from './types.ts';

export interface SignInLimits {
  /** Wrong passwords for one e-mail from one address. */
  readonly failuresPerSource: Limit;
  /** Wrong passwords for one e-mail from anywhere: the bound on guessing with many addresses. */
  readonly failuresPerEmail: Limit;
}

export const defaultSignInLimits: SignInLimits = {
  failuresPerSource: { points: 10, seconds: 900 },
  failuresPerEmail: { points: 100, seconds: 3_600 },
};

/** The one place where a password is compared, so that guesses are counted wherever they are made. */
export interface SignInGuard {
  /** @throws {ProblemError} BAD_CREDENTIALS, TOO_MANY_REQUESTS, UNAVAILABLE */
  check(shown: { email: string; password: string; source: string }): Promise<Account>;
}

export function createSignInGuard(ports: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly hasher: Pick<PasswordHasher, 'verify'>;
  readonly limits: SignInLimits;
  readonly limiters: RateLimiters;
}): SignInGuard {
  const { database, hasher, limits, limiters } = ports;
  const perSource = limiters.limiter('password-source', limits.failuresPerSource, 'refuse');
  const perEmail = limiters.limiter('password-email', limits.failuresPerEmail, 'refuse');
  return {
    async check({ email, password, source }) {
      // Counted before the check, so that tries in parallel count too; taken back when the password is right.
      await perSource.consume(`${source} ${email}`);
      await perEmail.consume(email);
      const account = await accountRepository.findByEmail(database.db, email);
      const right = await hasher.verify(password, account?.passwordHash);
      if (account === undefined || !right || account.suspended || account.deleted) {
        throw badCredentials();
      }
      await perSource.delete(`${source} ${email}`);
      await perEmail.reward(email);
      return account;
    },
  };
}

export const badCredentials = () => new ProblemError('BAD_CREDENTIALS', 'E-mail or password is wrong.');
