import type { ColumnType, Generated } from 'kysely';

type Fixed<T> = ColumnType<T, T | undefined, never>;
type Json<T> = ColumnType<T, string | undefined, string>;

/** Which mails a person wants, beyond those about his own account. */
export interface NotificationSettings {
  /** When somebody signs in to the account. */
  readonly signIn: boolean;
  /** When something is wrong with a device of his; administrators: with any device, or the cloud. */
  readonly alerts: boolean;
}

interface Users {
  id: Generated<number>;
  user_uuid: Fixed<string>;
  email: string;
  /** PHC string, argon2id. */
  password_hash: string;
  created_at: Fixed<Date>;
  suspended_at: Date | null;
  display_name: string | null;
  /** BCP 47. */
  locale: string | null;
  /** IANA name. */
  time_zone: string | null;
  notifications: Json<Partial<NotificationSettings>>;
  /** When the person showed that mail to the address reaches him. */
  email_verified_at: Date | null;
  /** From then on nobody is signed in any more; what is personal goes when the devices are released. */
  deleted_at: Date | null;
  erased_at: Date | null;
  /** Grows with each edit of the profile. */
  version: Generated<number>;
}

/** Addresses that devices still name until they fetch the new one. */
interface FormerEmails {
  user_id: number;
  email: string;
  accepted_until: Date;
}

interface Roles {
  id: Generated<number>;
  name: 'prime_admin' | 'general_admin' | 'developer';
}

interface UserRoles {
  user_id: number;
  role_id: number;
}

/** One sign-in: a family of refresh tokens. */
interface Sessions {
  id: string;
  user_id: number;
  created_at: Date;
  last_used_at: Date;
  expires_at: Date;
  ended_at: Date | null;
  end_reason: string | null;
}

interface RefreshTokens {
  /** SHA-256 of the token. */
  token_hash: Buffer;
  session_id: string;
  /** The token that was shown to get this one. */
  parent_hash: Buffer | null;
  /** `SUPERSEDED`: another answer to the same token was used instead. */
  state: Generated<'FRESH' | 'USED' | 'SUPERSEDED'>;
  created_at: Date;
  used_at: Date | null;
}

export type CodePurpose = 'verify-email' | 'change-email' | 'reset-password';

/** Codes that were mailed; one for each purpose, the newest. */
interface EmailCodes {
  user_id: number;
  purpose: CodePurpose;
  /** Where the code went. */
  email: string;
  /** HMAC: six digits by themselves are found by trying. */
  code_hash: Buffer;
  expires_at: Date;
  tries: Generated<number>;
}

/** Mails that are still to go out. What is secret in one is made when it goes. */
interface Mails {
  id: string;
  kind: string;
  email: string;
  detail: Json<Record<string, string>>;
  created_at: Date;
  due_at: Date;
  give_up_at: Date;
  attempts: Generated<number>;
}

export interface AccountTables {
  users: Users;
  former_emails: FormerEmails;
  roles: Roles;
  user_roles: UserRoles;
  sessions: Sessions;
  refresh_tokens: RefreshTokens;
  email_codes: EmailCodes;
  mails: Mails;
}
