export type RoleName = 'prime_admin' | 'general_admin' | 'developer';

/** The user who is signed in. */
export interface Caller {
  readonly userId: number;
  readonly userUuid: string;
  readonly email: string;
  readonly roles: readonly RoleName[];
}

/** An account as the table holds it. */
export interface Account extends Caller {
  /** PHC string. */
  readonly passwordHash: string;
  readonly createdAt: Date;
  readonly suspended: boolean;
}

/** Whether this person may see and administer every device. */
export function isAdmin({ roles }: Pick<Caller, 'roles'>): boolean {
  return roles.includes('prime_admin') || roles.includes('general_admin');
}
