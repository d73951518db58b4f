import type { Queries } from '../ports/database.ts';

/** Sessions and their refresh tokens, of which only hashes are stored. */
export const sessionRepository = {
  async open(
    queries: Queries,
    row: { id: string; userId: number; tokenHash: Buffer; at: Date; expiresAt: Date },
  ): Promise<void> {
    const { id, userId, tokenHash, at, expiresAt } = row;
    await queries
      .insertInto('sessions')
      .values({ id, user_id: userId, created_at: at, last_used_at: at, expires_at: expiresAt })
      .execute();
    await addToken(queries, { sessionId: id, tokenHash, parentHash: null, at });
  },

  /** Locks the session, so that one refresh of it runs at a time. */
  async lockByToken(queries: Queries, tokenHash: Buffer) {
    const found = await queries
      .selectFrom('refresh_tokens')
      .where('token_hash', '=', tokenHash)
      .select('session_id')
      .executeTakeFirst();
    if (found === undefined) return undefined;
    const session = await queries
      .selectFrom('sessions as s')
      .innerJoin('users as u', 'u.id', 's.user_id')
      .where('s.id', '=', found.session_id)
      .select(['s.id', 's.user_id', 'u.user_uuid', 's.created_at', 's.expires_at', 's.ended_at'])
      .forUpdate('s')
      .executeTakeFirst();
    // Read under the lock: another refresh may have used it a moment ago.
    const token = await queries
      .selectFrom('refresh_tokens')
      .where('token_hash', '=', tokenHash)
      .select(['parent_hash', 'state', 'used_at'])
      .executeTakeFirst();
    return session && token && { session, token };
  },

  async childrenOf(queries: Queries, tokenHash: Buffer): Promise<readonly string[]> {
    const rows = await queries
      .selectFrom('refresh_tokens')
      .where('parent_hash', '=', tokenHash)
      .select('state')
      .execute();
    return rows.map(({ state }) => state);
  },

  /** Takes a token; other answers to the same token before it are worth nothing from now on. */
  async takeToken(
    queries: Queries,
    row: { tokenHash: Buffer; parentHash: Buffer | null; at: Date },
  ): Promise<void> {
    await queries
      .updateTable('refresh_tokens')
      .set({ state: 'USED', used_at: row.at })
      .where('token_hash', '=', row.tokenHash)
      .execute();
    if (row.parentHash === null) return;
    await queries
      .updateTable('refresh_tokens')
      .set({ state: 'SUPERSEDED' })
      .where('parent_hash', '=', row.parentHash)
      .where('state', '=', 'FRESH')
      .execute();
  },

  async renew(
    queries: Queries,
    row: { sessionId: string; tokenHash: Buffer; parentHash: Buffer; at: Date; expiresAt: Date },
  ): Promise<void> {
    await addToken(queries, row);
    await queries
      .updateTable('sessions')
      .set({ last_used_at: row.at, expires_at: row.expiresAt })
      .where('id', '=', row.sessionId)
      .execute();
  },

  /** Ends one session, or all of a user but one. @returns how many */
  async end(
    queries: Queries,
    which: { userId: number; only?: string; except?: string },
    end: { reason: string; at: Date },
  ): Promise<number> {
    const ended = await queries
      .updateTable('sessions')
      .set({ ended_at: end.at, end_reason: end.reason })
      .where('user_id', '=', which.userId)
      .where('ended_at', 'is', null)
      .$if(which.only !== undefined, (query) => query.where('id', '=', which.only!))
      .$if(which.except !== undefined, (query) => query.where('id', '!=', which.except!))
      .returning('id')
      .execute();
    return ended.length;
  },

  /** Which of these sessions still run. */
  async running(queries: Queries, ids: readonly string[], at: Date): Promise<ReadonlySet<string>> {
    if (ids.length === 0) return new Set();
    const rows = await queries
      .selectFrom('sessions as s')
      .innerJoin('users as u', 'u.id', 's.user_id')
      .where('s.id', 'in', [...ids])
      .where('s.ended_at', 'is', null)
      .where('s.expires_at', '>', at)
      .where('u.suspended_at', 'is', null)
      .where('u.deleted_at', 'is', null)
      .select('s.id')
      .execute();
    return new Set(rows.map(({ id }) => id));
  },
};

async function addToken(
  queries: Queries,
  row: { sessionId: string; tokenHash: Buffer; parentHash: Buffer | null; at: Date },
): Promise<void> {
  await queries
    .insertInto('refresh_tokens')
    .values({
      session_id: row.sessionId,
      token_hash: row.tokenHash,
      parent_hash: row.parentHash,
      created_at: row.at,
      used_at: null,
    })
    .execute();
}
