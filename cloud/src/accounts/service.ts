import { normalizeEmail, ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import type { MailQueue } from '../mail/queue.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { AccessTokens } from './access-tokens.ts';
import { assertGoodPassword } from './password-rules.ts';
import type { PasswordHasher } from './passwords.ts';
import { accountRepository } from './repository.ts';
import type { Sessions, SessionTokens } from './sessions.ts';
import { badCredentials, type SignInGuard } from './sign-in-guard.ts';
import type { Account, Caller, RoleName } from './types.ts';

/** Tokens of a session, and whose it is. */
export interface Session extends SessionTokens {
  readonly account: Account;
}

type SignIn = { readonly email: string; readonly password: string; readonly source: string };

export type AccountService = ReturnType<typeof createAccountService>;

/** Accounts: make one, sign in and out, and say who a token belongs to. */
export function createAccountService(ports: {
  readonly database: CloudDatabase;
  readonly hasher: PasswordHasher;
  readonly tokens: AccessTokens;
  readonly sessions: Sessions;
  readonly guard: SignInGuard;
  readonly mails: MailQueue;
  readonly clock: Clock;
  /** Whether an account may do more than look after itself only with a verified e-mail. */
  readonly mustVerifyEmail: boolean;
}) {
  const { database, hasher, tokens, sessions, guard, mails, clock, mustVerifyEmail } = ports;

  const open = async (queries: Queries, account: Account): Promise<Session> => ({
    ...(await sessions.open(queries, account)),
    account,
  });

  return {
    /** @throws {ProblemError} EMAIL_TAKEN, INVALID_REQUEST, UNAVAILABLE */
    async register({ email, password, source }: SignIn): Promise<Session> {
      const address = normalizeEmail(email);
      assertGoodPassword(password, address);
      const passwordHash = await hasher.hash(password);
      return database.db.transaction().execute(async (trx) => {
        const account = await accountRepository.insert(trx, { email: address, passwordHash });
        if (account === undefined) {
          throw new ProblemError('EMAIL_TAKEN', 'There is an account with this e-mail: sign in instead.');
        }
        await writeAudit(trx, auditOf('user.register', account, account.userId, source));
        await mails.put(trx, { kind: 'verify-email', email: address });
        return open(trx, account);
      });
    },

    /** @throws {ProblemError} BAD_CREDENTIALS, TOO_MANY_REQUESTS, UNAVAILABLE */
    async login({ email, password, source }: SignIn): Promise<Session> {
      const address = normalizeEmail(email);
      const account = await guard.check({ email: address, password, source });
      return database.db.transaction().execute(async (trx) => {
        // Whoever changes a password or locks an account ends its sessions: none may begin behind his back.
        const locked = await accountRepository.lockByUuid(trx, account.userUuid);
        if (locked?.passwordHash !== account.passwordHash || locked.suspended || locked.deleted)
          throw badCredentials();
        await writeAudit(trx, auditOf('session.sign-in', account, account.userId, source));
        if (account.notifications.signIn) {
          const detail = { source, at: new Date(clock.now()).toISOString() };
          await mails.put(trx, { kind: 'new-sign-in', email: address, detail });
        }
        return open(trx, account);
      });
    },

    /** @throws {ProblemError} TOKEN_INVALID */
    async refresh(refreshToken: string, source: string): Promise<Session> {
      const { userUuid, ...session } = await sessions.refresh(refreshToken, source);
      const account = await accountRepository.findByUuid(database.db, userUuid);
      if (account === undefined)
        throw new ProblemError('TOKEN_INVALID', 'This account does not exist any more.');
      return { ...session, account };
    },

    logout: (refreshToken: string, source: string) => sessions.signOut(refreshToken, source),

    /** The account that a token belongs to, as the table knows it at this moment, if its session still runs. */
    async callerOf(
      accessToken: string,
    ): Promise<{ caller: Caller; expiresAt: number; unverified: boolean } | undefined> {
      const token = await tokens.verify(accessToken);
      if (token === undefined) return undefined;
      const { userUuid, sessionId, expiresAt } = token;
      const account = await accountRepository.findSignedIn(database.db, {
        userUuid,
        sessionId,
        at: new Date(clock.now()),
      });
      if (account === undefined) return undefined;
      const { userId, email, roles } = account;
      return {
        caller: { userId, userUuid, email, roles, sessionId },
        expiresAt,
        unverified: mustVerifyEmail && !account.emailVerified,
      };
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
        const verifiedAt = new Date(clock.now());
        const account =
          (passwordHash && (await accountRepository.insert(trx, { email, passwordHash, verifiedAt }))) ||
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

/** An audit row about an account. */
export function auditOf(
  action: string,
  { userUuid }: Pick<Account, 'userUuid'>,
  actorUserId: number | null = null,
  source?: string,
) {
  return {
    action,
    actorUserId,
    objectType: 'user' as const,
    objectId: userUuid,
    ...(source !== undefined && { source }),
  };
}
