import type { NotificationSettings } from '../database/schema-accounts.ts';

export type { NotificationSettings };

export const roleNames = ['prime_admin', 'general_admin', 'developer'] as const;
export type RoleName = (typeof roleNames)[number];

/** The user who is signed in. */
export interface Caller {
  readonly userId: number;
  readonly userUuid: string;
  readonly email: string;
  readonly roles: readonly RoleName[];
  /** The session whose token was shown. */
  readonly sessionId?: string;
}

/** What a person tells about himself. */
export interface Profile {
  readonly displayName: string | null;
  /** BCP 47. */
  readonly locale: string | null;
  /** IANA name. */
  readonly timeZone: string | null;
  readonly notifications: NotificationSettings;
}

/** An account as the table holds it. */
export interface Account extends Omit<Caller, 'sessionId'>, Profile {
  /** PHC string. */
  readonly passwordHash: string;
  readonly createdAt: Date;
  readonly suspended: boolean;
  readonly emailVerified: boolean;
  readonly deleted: boolean;
  /** Of the profile. */
  readonly version: number;
}

/** An account as administrators see it. */
export interface ManagedAccount extends Account {
  /** How many are his now. */
  readonly devices: number;
  readonly lastSignIn: Date | null;
}

/** Whether this person may see and administer every device. */
export function isAdmin({ roles }: Pick<Caller, 'roles'>): boolean {
  return roles.includes('prime_admin') || roles.includes('general_admin');
}
