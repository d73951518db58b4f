import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createAccessTokens } from '../../src/accounts/access-tokens.ts';
import { createAdministration } from '../../src/accounts/administration.ts';
import { createAccountDeletion } from '../../src/accounts/deletion.ts';
import { createEmailCodes } from '../../src/accounts/email-codes.ts';
import { createLetterWriter } from '../../src/accounts/letters.ts';
import { type CodeLimits, createMailedCodes, defaultCodeLimits } from '../../src/accounts/mailed-codes.ts';
import { createOwnAccount } from '../../src/accounts/own-account.ts';
import { createPasswordHasher } from '../../src/accounts/passwords.ts';
import { createAccountService } from '../../src/accounts/service.ts';
import { createSessionWatch } from '../../src/accounts/session-watch.ts';
import { createSessions } from '../../src/accounts/sessions.ts';
import {
  createSignInGuard,
  defaultSignInLimits,
  type SignInLimits,
} from '../../src/accounts/sign-in-guard.ts';
import { memoryRateLimiters } from '../../src/adapters/memory-rate-limiters.ts';
import { createPostman } from '../../src/mail/postman.ts';
import { createMailQueue } from '../../src/mail/queue.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import type { Logger } from '../../src/ports/logger.ts';
import type { Letter, Mailer } from '../../src/ports/mailer.ts';
import type { SecretStore } from '../../src/ports/secret-store.ts';
import type { ReleaseService } from '../../src/release/service.ts';
import type { FakeClock } from './quiet.ts';

export interface AccountsOptions extends Partial<SignInLimits>, Partial<CodeLimits> {
  readonly mustVerifyEmail?: boolean;
  readonly release?: Pick<ReleaseService, 'release'>;
  readonly mailer?: Mailer;
}

export type AccountsWorld = ReturnType<typeof createAccountsWorld>;

/** Every service of accounts on a real database; mails are read from `letters` when the test has them carried. */
export function createAccountsWorld(
  ports: {
    readonly database: CloudDatabase;
    readonly secrets: SecretStore;
    readonly clock: FakeClock;
    readonly log: Logger;
  },
  options: AccountsOptions = {},
) {
  const { database, secrets, clock, log } = ports;
  const letters: Letter[] = [];
  const mailer: Mailer = options.mailer ?? {
    send: async (letter) => void letters.push(letter),
    close: async () => undefined,
  };
  const tokens = createAccessTokens({ secrets, clock, installationId: 'test' });
  const hasher = createPasswordHasher();
  const newUuid = randomUUID;
  const random = randomBytes;
  const sessions = createSessions({ database, tokens, clock, random, newUuid });
  const limits = { ...defaultSignInLimits, ...defaultCodeLimits, ...options };
  const limiters = memoryRateLimiters;
  const guard = createSignInGuard({ database, hasher, limits, limiters });
  const mails = createMailQueue({ database, clock, newUuid });
  const emailCodes = createEmailCodes({ key: createHash('sha256').update('test').digest(), clock, random });
  const common = { limiters, database, hasher, tokens, sessions, guard, mails, clock, random, log };
  const release = options.release ?? {
    release: async () => {
      throw new Error('This test releases no device.');
    },
  };
  const write = createLetterWriter({ database, codes: emailCodes });
  const postman = createPostman({ database, clock, mailer, write, log });
  return {
    ...common,
    service: createAccountService({ ...common, mustVerifyEmail: options.mustVerifyEmail ?? false }),
    codes: createMailedCodes({ ...common, codes: emailCodes, limits }),
    own: createOwnAccount(common),
    deletion: createAccountDeletion({ ...common, release }),
    administration: createAdministration(common),
    sessionWatch: createSessionWatch({ database, clock, log }),
    postman,
    emailCodes,
    letters,
    /** Has the mails carried, and answers the newest one to an address. */
    async mailTo(email: string): Promise<Letter | undefined> {
      await postman.round();
      return letters.findLast(({ to }) => to === email);
    },
    /** The six digits of the newest mail to an address. */
    async codeFor(email: string): Promise<string> {
      const letter = await this.mailTo(email);
      const code = /\b\d{6}\b/.exec(letter?.text ?? '')?.[0];
      if (code === undefined) throw new Error(`No code was mailed to ${email}.`);
      return code;
    },
  };
}
