import type { ColumnType, Generated } from 'kysely';

interface Shares {
  id: Generated<string>;
  assignment_id: number;
  /** Normalised address that the owner wrote, whether or not somebody has an account with it. */
  email: string;
  created_at: ColumnType<Date, Date | undefined, never>;
}

/** Tables of sharing. */
export interface DeviceTables {
  shares: Shares;
}
