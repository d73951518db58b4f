import { normalizeEmail, ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import { consume, type Limit, limiter } from '../http/rate-limits.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { PasswordHasher } from './passwords.ts';
import { accountRepository, toCaller } from './repository.ts';
import type { Account, Caller, RoleName } from './types.ts';

export interface AccountConfig {
  /** Wrong passwords for one e-mail from one address. */
  readonly failuresPerSource: Limit;
  /** Wrong passwords for one e-mail from anywhere: the bound on guessing with many addresses. */
  readonly failuresPerEmail: Limit;
}

export const defaultAccountConfig: AccountConfig = {
  failuresPerSource: { points: 10, seconds: 900 },
  failuresPerEmail: { points: 100, seconds: 3_600 },
};

export interface Session {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  readonly account: Account;
}

type SignIn = { readonly email: string; readonly password: string; readonly source: string };

export type AccountService = ReturnType<typeof createAccountService>;

/** Accounts: make one, sign in, and say who a token belongs to. */
export function createAccountService(ports: {
  readonly database: CloudDatabase;
  readonly hasher: PasswordHasher;
  readonly tokens: AccessTokens;
  readonly config: AccountConfig;
}) {
  const { database, hasher, tokens, config } = ports;
  const perSource = limiter(config.failuresPerSource);
  const perEmail = limiter(config.failuresPerEmail);

  const session = async (account: Account): Promise<Session> => ({
    ...(await tokens.issue(account.userUuid)),
    account,
  });

  return {
    /** @throws {ProblemError} EMAIL_TAKEN, UNAVAILABLE */
    async register({ email, password, source }: SignIn): Promise<Session> {
      const passwordHash = await hasher.hash(password);
      const account = await database.db.transaction().execute(async (trx) => {
        const made = await accountRepository.insert(trx, { email: normalizeEmail(email), passwordHash });
        if (made !== undefined) await writeAudit(trx, auditOf('user.register', made, made, source));
        return made;
      });
      if (account === undefined) {
        throw new ProblemError('EMAIL_TAKEN', 'There is an account with this e-mail: sign in instead.');
      }
      return session(account);
    },

    /** @throws {ProblemError} BAD_CREDENTIALS, TOO_MANY_REQUESTS, UNAVAILABLE */
    async login({ email, password, source }: SignIn): Promise<Session> {
      const address = normalizeEmail(email);
      // Counted before the check, so that tries in parallel count too; taken back when the password is right.
      await consume(perSource, `${source} ${address}`);
      await consume(perEmail, address);
      const account = await accountRepository.findByEmail(database.db, address);
      const right = await hasher.verify(password, account?.passwordHash);
      if (account === undefined || !right || account.suspended) {
        throw new ProblemError('BAD_CREDENTIALS', 'E-mail or password is wrong.');
      }
      await perSource.delete(`${source} ${address}`);
      await perEmail.reward(address);
      return session(account);
    },

    /** The account that a token belongs to, as the table knows it at this moment. */
    async callerOf(accessToken: string): Promise<{ caller: Caller; expiresAt: number } | undefined> {
      const token = await tokens.verify(accessToken);
      if (token === undefined) return undefined;
      const account = await accountRepository.findByUuid(database.db, token.userUuid);
      if (account === undefined || account.suspended) return undefined;
      return { caller: toCaller(account), expiresAt: token.expiresAt };
    },

    /** @throws {ProblemError} NOT_FOUND when the account was deleted meanwhile */
    async me(caller: Caller): Promise<Account> {
      const account = await accountRepository.findByUuid(database.db, caller.userUuid);
      if (account === undefined) throw new ProblemError('NOT_FOUND', 'This account does not exist any more.');
      return account;
    },

    /** For bootstrap and operators: afterwards the account exists with this password and at least these roles. */
    async ensureAccount(wanted: {
      readonly email: string;
      readonly password: string;
      readonly roles: readonly RoleName[];
    }): Promise<{ userUuid: string; email: string }> {
      const email = normalizeEmail(wanted.email);
      const known = await accountRepository.findByEmail(database.db, email);
      const fits = known !== undefined && (await hasher.verify(wanted.password, known.passwordHash));
      const missing = wanted.roles.filter((role) => !(known?.roles ?? []).includes(role));
      if (known !== undefined && fits && missing.length === 0) return known;
      const passwordHash = fits ? undefined : await hasher.hash(wanted.password);
      return database.db.transaction().execute(async (trx) => {
        const account =
          (passwordHash && (await accountRepository.insert(trx, { email, passwordHash }))) ||
          (await accountRepository.findByEmail(trx, email))!;
        if (passwordHash !== undefined) {
          await accountRepository.setPasswordHash(trx, account.userId, passwordHash);
        }
        await accountRepository.addRoles(trx, account.userId, wanted.roles);
        await writeAudit(trx, { ...auditOf('user.ensure', account), detail: { roles: wanted.roles } });
        return { userUuid: account.userUuid, email };
      });
    },
  };
}

function auditOf(action: string, account: Account, actor?: Account, source?: string) {
  return {
    action,
    actorUserId: actor?.userId ?? null,
    objectType: 'user' as const,
    objectId: account.userUuid,
    ...(source !== undefined && { source }),
  };
}
