import type { CodePurpose } from '../database/schema-accounts.ts';

/** Why a person gets a mail. */
export type MailKind =
  | CodePurpose
  | 'invitation'
  | 'new-sign-in'
  | 'password-changed'
  | 'email-changed'
  | 'account-deleted'
  | 'alert';

/** A mail that waits. Secrets are not in it: its text is made when it goes. */
export interface WaitingMail {
  readonly id: string;
  readonly kind: MailKind;
  readonly email: string;
  /** Facts for its text; nothing secret. */
  readonly detail: Readonly<Record<string, string>>;
  /** How often it was tried before, this time included. */
  readonly attempts: number;
  readonly giveUpAt: Date;
}
