import type { CodePurpose } from '../database/schema-accounts.ts';
import type { WriteLetter } from '../mail/postman.ts';
import type { WaitingMail } from '../mail/types.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Letter } from '../ports/mailer.ts';
import type { EmailCodes } from './email-codes.ts';
import { accountRepository } from './repository.ts';
import type { Account } from './types.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const RESET_SECONDS = 10 * MINUTE;
const VERIFY_SECONDS = 24 * HOUR;
const INVITATION_SECONDS = 72 * HOUR;

type Content = Omit<Letter, 'id' | 'to'>;

/**
 * The mails about accounts. A code is drawn when its mail goes, so that it lives from then on and lies nowhere in
 * clear; an address without an account gets no mail.
 */
export function createLetterWriter(ports: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly codes: Pick<EmailCodes, 'draw'>;
}): WriteLetter {
  const { database, codes } = ports;
  const accountOf = async ({ email }: WaitingMail): Promise<Account | undefined> => {
    const account = await accountRepository.findByEmail(database.db, email);
    return account?.suspended || account?.deleted ? undefined : account;
  };
  const draw = (account: Account, purpose: CodePurpose, email: string, seconds: number) =>
    codes.draw(database.db, { userId: account.userId, purpose, email, seconds });

  const writers: Record<WaitingMail['kind'], (mail: WaitingMail) => Promise<Content | undefined>> = {
    async 'verify-email'(mail) {
      const account = await accountOf(mail);
      if (account === undefined || account.emailVerified) return undefined;
      const code = await draw(account, 'verify-email', mail.email, VERIFY_SECONDS);
      return {
        subject: `${code} is your code for Ares`,
        text: paragraphs(
          `The code to verify this address is ${code}. It can be used for 24 hours.`,
          'If you have made no account with Ares, you need do nothing.',
        ),
      };
    },
    async 'change-email'(mail) {
      const account = await accountRepository.findByUuid(database.db, mail.detail['userUuid'] ?? '');
      const holder = await accountRepository.findByEmail(database.db, mail.email);
      // Whoever reads the mail of an address that has an account is told nothing about another one.
      if (account === undefined || account.suspended || account.deleted || holder !== undefined) {
        return undefined;
      }
      const code = await draw(account, 'change-email', mail.email, VERIFY_SECONDS);
      return {
        subject: `${code} is your code for Ares`,
        text: paragraphs(
          `The code to use this address for your account is ${code}. It can be used for 24 hours.`,
          'If you did not ask for that, you need do nothing.',
        ),
      };
    },
    async 'reset-password'(mail) {
      const account = await accountOf(mail);
      if (account === undefined) return undefined;
      const code = await draw(account, 'reset-password', mail.email, RESET_SECONDS);
      return {
        subject: `${code} is your code for Ares`,
        text: paragraphs(
          `The code to set a new password is ${code}. It can be used for ten minutes.`,
          'If you did not ask for it, your password is as it was: give the code to nobody.',
        ),
      };
    },
    async invitation(mail) {
      const account = await accountOf(mail);
      if (account === undefined) return undefined;
      const code = await draw(account, 'reset-password', mail.email, INVITATION_SECONDS);
      return {
        subject: 'Your account with Ares',
        text: paragraphs(
          'An administrator has made an account with this address for you.',
          `The code to set your password is ${code}. It can be used for three days; after that have another one sent as for a forgotten password.`,
        ),
      };
    },
    'new-sign-in': async ({ detail }) => ({
      subject: 'Somebody signed in to your account',
      text: paragraphs(
        `Somebody signed in to your account at ${detail['at']} from ${detail['source']}.`,
        'If it was not you, set a new password: that ends all sessions.',
      ),
    }),
    'password-changed': async () => ({
      subject: 'Your password was changed',
      text: paragraphs(
        'The password of your account was changed, and its other sessions have ended.',
        'If it was not you, have a code sent as for a forgotten password and set a new one.',
      ),
    }),
    'email-changed': async () => ({
      subject: 'Your account has another e-mail now',
      text: paragraphs(
        'Your account with Ares has another e-mail address from now on.',
        'If it was not you, tell the administrator of the installation at once.',
      ),
    }),
    alert: async ({ detail }) => ({
      subject: `Alert: ${sentenceOf(detail['alert'])}`,
      text: paragraphs(
        detail['device'] === undefined
          ? `${sentenceOf(detail['alert'])}.`
          : `${sentenceOf(detail['alert'])}: device ${detail['device']}.`,
        'Look at the alerts of the installation for what was seen. These mails can be switched off in the profile.',
      ),
    }),
    'account-deleted': async () => ({
      subject: 'Your account was deleted',
      text: paragraphs('Your account with Ares was deleted. Its devices were unlinked and are being reset.'),
    }),
  };
  return (mail) => writers[mail.kind](mail);
}

/** `COMPROMISE_SUSPECTED` → `Compromise suspected`. */
function sentenceOf(kind = 'ALERT'): string {
  const words = kind
    .replaceAll(/[^A-Za-z0-9]+/g, ' ')
    .trim()
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function paragraphs(...texts: readonly string[]): string {
  return `${texts.join('\n\n')}\n`;
}
