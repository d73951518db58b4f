import { normalizeEmail, ProblemError } from '@ares/protocol';
import { writeAudit } from '../audit/audit-log.ts';
import type { MailQueue } from '../mail/queue.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Limit, RateLimiters } from '../ports/rate-limiter.ts';
import { moveEmail } from './email-change.ts';
import type { EmailCodes } from './email-codes.ts';
import { assertGoodPassword } from './password-rules.ts';
import type { PasswordHasher } from './passwords.ts';
import { accountRepository } from './repository.ts';
import { auditOf } from './service.ts';
import type { Sessions } from './sessions.ts';

export interface CodeLimits {
  /** Mails with a code that one address gets. */
  readonly mailsPerEmail: Limit;
  /** Codes that are tried for one address, over all codes that it gets. */
  readonly triesPerEmail: Limit;
}

export const defaultCodeLimits: CodeLimits = {
  mailsPerEmail: { points: 5, seconds: 3_600 },
  triesPerEmail: { points: 30, seconds: 86_400 },
};

export type MailedCodes = ReturnType<typeof createMailedCodes>;

/** What a person does with a code from his mail, signed in or not. */
export function createMailedCodes(ports: {
  readonly database: CloudDatabase;
  readonly codes: EmailCodes;
  readonly hasher: Pick<PasswordHasher, 'hash'>;
  readonly sessions: Pick<Sessions, 'endAll'>;
  readonly mails: MailQueue;
  readonly clock: Clock;
  readonly limits: CodeLimits;
  readonly limiters: RateLimiters;
}) {
  const { database, codes, hasher, sessions, mails, clock, limits, limiters } = ports;
  const mailsPerEmail = limiters.limiter('code-mails', limits.mailsPerEmail, 'refuse');
  const triesPerEmail = limiters.limiter('code-tries', limits.triesPerEmail, 'refuse');

  return {
    /** How often an address gets mail with a code. @throws {ProblemError} TOO_MANY_REQUESTS */
    admitMail: (email: string) => mailsPerEmail.consume(normalizeEmail(email)),

    /**
     * Does the same whether there is such an account or not: the mail is left in the queue, and only who sends it
     * looks the account up. @throws {ProblemError} TOO_MANY_REQUESTS
     */
    async forgotPassword(email: string): Promise<void> {
      const address = normalizeEmail(email);
      await mailsPerEmail.consume(address);
      await mails.put(database.db, { kind: 'reset-password', email: address });
    },

    /** @throws {ProblemError} CODE_INVALID, INVALID_REQUEST, TOO_MANY_REQUESTS */
    async resetPassword(shown: {
      readonly email: string;
      readonly code: string;
      readonly password: string;
      readonly source: string;
    }): Promise<void> {
      const email = normalizeEmail(shown.email);
      assertGoodPassword(shown.password, email);
      await triesPerEmail.consume(email);
      const purposes = ['reset-password'] as const;
      const redeemed = await codes.redeem(database.db, { email, purposes, code: shown.code });
      if (redeemed === undefined) throw codeInvalid();
      const passwordHash = await hasher.hash(shown.password);
      await database.db.transaction().execute(async (trx) => {
        const account = await accountRepository.findByEmail(trx, email);
        if (account?.userId !== redeemed.userId || account.suspended || account.deleted) throw codeInvalid();
        await accountRepository.setPasswordHash(trx, account.userId, passwordHash);
        // Who reads the mail of the address has shown that it is his.
        await accountRepository.setVerified(trx, account.userId, new Date(clock.now()));
        await sessions.endAll(trx, account.userId, 'password-reset');
        await writeAudit(trx, auditOf('user.reset-password', account, account.userId, shown.source));
        await mails.put(trx, { kind: 'password-changed', email });
      });
    },

    /** A new account's address, or the new address of one. @throws {ProblemError} CODE_INVALID, EMAIL_TAKEN */
    async verifyEmail(shown: { email: string; code: string; source: string }): Promise<void> {
      const email = normalizeEmail(shown.email);
      await triesPerEmail.consume(email);
      const purposes = ['verify-email', 'change-email'] as const;
      const redeemed = await codes.redeem(database.db, { email, purposes, code: shown.code });
      if (redeemed === undefined) throw codeInvalid();
      const { userId, purpose } = redeemed;
      const at = new Date(clock.now());
      await database.db.transaction().execute(async (trx) => {
        const account = await accountRepository.findById(trx, userId);
        if (account === undefined || account.suspended || account.deleted) throw codeInvalid();
        if (purpose === 'verify-email') await accountRepository.setVerified(trx, userId, at);
        else {
          await moveEmail(database, trx, { account, email, at });
          await codes.forget(trx, userId);
          await mails.put(trx, { kind: 'email-changed', email: account.email });
        }
        await writeAudit(trx, auditOf(`user.${purpose}`, account, userId, shown.source));
      });
    },
  };
}

function codeInvalid(): ProblemError {
  return new ProblemError(
    'CODE_INVALID',
    'This code is wrong, was used, or is too old; five tries and it is worth nothing. Ask for a new one.',
  );
}
