import type { Kysely, Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';

/** Queries, outside or inside a transaction. */
export type Queries = Kysely<Schema> | Transaction<Schema>;

/**
 * Notices between the processes of one cloud, sent with the transaction that causes them. They say only what to
 * look up again; the truth is in the tables.
 */
export interface Notices {
  /** A device's assignment, secret, certificate, components or life cycle changed. */
  device: { readonly deviceUuid: string };
  /** Sessions of a device must end now. */
  endSession: { readonly deviceUuid: string; readonly reason: string };
  /** Readings of these devices were stored, or their presence changed. `from` names the process that says so. */
  state: { readonly deviceUuids: readonly string[]; readonly from?: string };
  /** Sessions of a user ended: one, or those that the tables no longer have. */
  userSessions: { readonly userId: number };
  /** A mail waits to be sent. */
  mail: Record<string, never>;
  /** A command reached its final state. */
  command: { readonly commandId: string };
}
export type NoticeKind = keyof Notices;

export interface CloudDatabase {
  readonly db: Kysely<Schema>;
  /** Sends a notice; with a transaction it goes out only when that commits. */
  notify<K extends NoticeKind>(queries: Queries, kind: K, notice: Notices[K]): Promise<void>;
  /**
   * Hears notices of every process, this one included. After a lost connection `missed` is called, as notices
   * may have been lost: drop what was cached.
   */
  listen<K extends NoticeKind>(kind: K, heard: (notice: Notices[K]) => void, missed: () => void): () => void;
  /** Whether the database answers. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}
