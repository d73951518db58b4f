import type { Caller, RoleName } from '../http/handlers.ts';

export type { Caller, RoleName };

/** An account as the table holds it. */
export interface Account extends Caller {
  /** PHC string. */
  readonly passwordHash: string;
  readonly createdAt: Date;
  readonly suspended: boolean;
}
