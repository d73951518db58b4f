import type { Queries } from './database.ts';

/** One connection to a database, for a backup or its restoring: everything runs in the same session. */
export interface BackupConnection {
  /** The same session for kysely. */
  readonly queries: Queries;
  /** Runs `work` in a transaction; it rolls back when `work` throws. */
  transaction<T>(kind: 'read snapshot' | 'write', work: () => Promise<T>): Promise<T>;
  /** Rows of `copy … to stdout`, in whole rows; taken only as fast as they are read. */
  copyOut(sql: string): AsyncIterable<Uint8Array>;
  /** `copy … from stdin`. @returns how many rows the database took */
  copyIn(sql: string, chunks: AsyncIterable<Uint8Array>): Promise<number>;
  close(): Promise<void>;
}
