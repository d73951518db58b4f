import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AccessTokens, createAccessTokens } from './accounts/access-tokens.ts';
import { createAdministration } from './accounts/administration.ts';
import { administrationRoutes } from './accounts/administration-routes.ts';
import { createAccountDeletion } from './accounts/deletion.ts';
import { createEmailCodes, type EmailCodes } from './accounts/email-codes.ts';
import { createLetterWriter } from './accounts/letters.ts';
import { createMailedCodes, defaultCodeLimits } from './accounts/mailed-codes.ts';
import { createOwnAccount } from './accounts/own-account.ts';
import { createPasswordHasher, type PasswordHasher } from './accounts/passwords.ts';
import { accountRoutes } from './accounts/routes.ts';
import { type AccountService, createAccountService } from './accounts/service.ts';
import { createSessions, type Sessions } from './accounts/sessions.ts';
import { createSignInGuard, defaultSignInLimits, type SignInGuard } from './accounts/sign-in-guard.ts';
import { openOutboxMailer } from './adapters/outbox-mailer.ts';
import { createSmtpMailer } from './adapters/smtp-mailer.ts';
import type { Foundation } from './compose-foundation.ts';
import { chooseRateLimiters } from './compose-redis.ts';
import { ConfigError, DEFAULT_FROM } from './config.ts';
import type { Handlers } from './http/handlers.ts';
import { createPostman } from './mail/postman.ts';
import { createMailQueue, type MailQueue } from './mail/queue.ts';
import type { Mailer } from './ports/mailer.ts';
import type { RateLimiters } from './ports/rate-limiter.ts';
import type { ReleaseService } from './release/service.ts';

/** Accounts by themselves: operators' tools make some without any listener. */
export interface Accounts {
  readonly service: AccountService;
  readonly tokens: AccessTokens;
  readonly hasher: PasswordHasher;
  readonly sessions: Sessions;
  readonly guard: SignInGuard;
  readonly mails: MailQueue;
  readonly codes: EmailCodes;
  readonly limiters: RateLimiters;
}

export async function createAccounts(foundation: Foundation): Promise<Accounts> {
  const { config, database, secrets, clock, random, newUuid, installationId, shared } = foundation;
  const limiters = chooseRateLimiters(shared);
  const tokens = createAccessTokens({ secrets, clock, installationId });
  const hasher = createPasswordHasher();
  const sessions = createSessions({ database, tokens, clock, random, newUuid });
  const guard = createSignInGuard({ database, hasher, limits: defaultSignInLimits, limiters });
  const mails = createMailQueue({ database, clock, newUuid });
  const codes = await createCodes(foundation);
  const mustVerifyEmail = config.mail?.mustVerify ?? false;
  const parts = { database, hasher, tokens, sessions, guard, mails, clock };
  const service = createAccountService({ ...parts, mustVerifyEmail });
  return { service, tokens, hasher, sessions, guard, mails, codes, limiters };
}

/** Handlers of accounts, and the work that finishes their deletions. */
export function accountHandlers(
  foundation: Foundation,
  accounts: Accounts,
  release: ReleaseService,
  stack: AsyncDisposableStack,
): Pick<Handlers, keyof ReturnType<typeof accountRoutes> | keyof ReturnType<typeof administrationRoutes>> {
  const { database, clock, random, log } = foundation;
  const common = { ...accounts, database, clock, random, log };
  const deletion = createAccountDeletion({ ...common, release });
  deletion.start();
  stack.defer(() => deletion.stop());
  return {
    ...accountRoutes({
      service: accounts.service,
      tokens: accounts.tokens,
      codes: createMailedCodes({ ...common, limits: defaultCodeLimits }),
      own: createOwnAccount(common),
      deletion,
    }),
    ...administrationRoutes(createAdministration(common)),
  };
}

/** Carries mails from the queue to the mail server, or into the outbox folder. @throws {ConfigError} */
export async function startPostman(foundation: Foundation, stack: AsyncDisposableStack): Promise<void> {
  const { database, clock, log } = foundation;
  const write = createLetterWriter({ database, codes: await createCodes(foundation) });
  const postman = createPostman({ database, clock, log, write, mailer: await openMailer(foundation) });
  postman.start();
  stack.defer(() => postman.stop());
}

async function openMailer({ config, log }: Foundation): Promise<Mailer> {
  const { smtp, from = DEFAULT_FROM } = config.mail ?? {};
  if (smtp === undefined) {
    const dir = join(config.home, 'outbox');
    log.warn({ dir }, 'there is no ARES_SMTP_URL: mails, codes for a new password too, only lie in a folder');
    return openOutboxMailer({ dir, from });
  }
  const { caFile, ...server } = smtp;
  if (caFile === undefined) return createSmtpMailer({ server, from });
  try {
    return createSmtpMailer({ server: { ...server, ca: await readFile(caFile, 'utf8') }, from });
  } catch (cause) {
    throw new ConfigError(`ca of ARES_SMTP_URL cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Shared by all processes: what one of them mailed, another one is shown. */
async function createCodes({ secrets, clock, random }: Foundation): Promise<EmailCodes> {
  await secrets.create('email-code-key', random(32));
  return createEmailCodes({ key: (await secrets.get('email-code-key'))!, clock, random });
}
