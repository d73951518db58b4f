import { normalizeEmail, ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import { assertMatch, type IfMatch } from '../http/conditional.ts';
import type { MailQueue } from '../mail/queue.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { assertGoodPassword } from './password-rules.ts';
import type { PasswordHasher } from './passwords.ts';
import { accountRepository } from './repository.ts';
import { auditOf } from './service.ts';
import type { Sessions } from './sessions.ts';
import type { SignInGuard } from './sign-in-guard.ts';
import type { Account, Caller } from './types.ts';

/** What is left out stays as it is. */
export interface ProfileEdit {
  readonly displayName?: string | null | undefined;
  readonly locale?: string | null | undefined;
  readonly timeZone?: string | null | undefined;
  readonly notifications?:
    | { readonly signIn?: boolean | undefined; readonly alerts?: boolean | undefined }
    | undefined;
}

export type OwnAccount = ReturnType<typeof createOwnAccount>;

/** What a person does with his own account. */
export function createOwnAccount(ports: {
  readonly database: CloudDatabase;
  readonly hasher: Pick<PasswordHasher, 'hash'>;
  readonly guard: SignInGuard;
  readonly sessions: Pick<Sessions, 'endAll'>;
  readonly mails: MailQueue;
}) {
  const { database, hasher, guard, sessions, mails } = ports;
  const { db } = database;

  return {
    /** @throws {ProblemError} NOT_FOUND when the account was deleted meanwhile */
    async me({ userUuid }: Caller): Promise<Account> {
      return found(await accountRepository.findByUuid(db, userUuid));
    },

    /** @throws {ProblemError} INVALID_REQUEST, PRECONDITION_FAILED */
    async update(caller: Caller, edit: ProfileEdit, ifMatch: IfMatch, source: string): Promise<Account> {
      assertTimeZone(edit.timeZone);
      return db.transaction().execute(async (trx) => {
        const account = found(await accountRepository.lockByUuid(trx, caller.userUuid));
        assertMatch(ifMatch, account.version);
        const { notifications, ...rest } = edit;
        await accountRepository.setProfile(trx, account.userId, {
          ...rest,
          ...(notifications !== undefined && {
            notifications: {
              signIn: notifications.signIn ?? account.notifications.signIn,
              alerts: notifications.alerts ?? account.notifications.alerts,
            },
          }),
        });
        // Which members, never what they hold: an audit row outlives the account.
        const detail = { members: Object.keys(edit) };
        await writeAudit(trx, { ...auditOf('user.update', account, caller.userId, source), detail });
        return found(await accountRepository.findByUuid(trx, caller.userUuid));
      });
    },

    /** Ends all sessions but the one that asks. @throws {ProblemError} BAD_CREDENTIALS, INVALID_REQUEST */
    async changePassword(
      caller: Caller,
      { oldPassword, newPassword }: { oldPassword: string; newPassword: string },
      source: string,
    ): Promise<void> {
      const account = await guard.check({ email: caller.email, password: oldPassword, source });
      assertGoodPassword(newPassword, caller.email, 'newPassword');
      const passwordHash = await hasher.hash(newPassword);
      await db.transaction().execute(async (trx) => {
        await accountRepository.setPasswordHash(trx, account.userId, passwordHash);
        await sessions.endAll(trx, account.userId, 'password-changed', caller.sessionId);
        await writeAudit(trx, auditOf('user.change-password', account, account.userId, source));
        await mails.put(trx, { kind: 'password-changed', email: account.email });
      });
    },

    /** The same answer whether the address is free or not. @throws {ProblemError} BAD_CREDENTIALS */
    async changeEmail(
      caller: Caller,
      { email, password }: { email: string; password: string },
      source: string,
    ): Promise<void> {
      const account = await guard.check({ email: caller.email, password, source });
      const detail = { userUuid: account.userUuid };
      await mails.put(db, { kind: 'change-email', email: normalizeEmail(email), detail });
    },

    async resendVerification(caller: Caller): Promise<void> {
      await mails.put(db, { kind: 'verify-email', email: caller.email });
    },
  };
}

function found(account: Account | undefined): Account {
  if (account === undefined) throw new ProblemError('NOT_FOUND', 'This account does not exist any more.');
  return account;
}

/** @throws {ProblemError} INVALID_REQUEST for a zone that nobody can reckon with */
export function assertTimeZone(timeZone: string | null | undefined): void {
  if (timeZone === null || timeZone === undefined) return;
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    const issues = [{ path: 'timeZone', message: 'is no time zone' }];
    throw new ProblemError('INVALID_REQUEST', 'There is no such time zone; write Europe/Berlin.', { issues });
  }
}
