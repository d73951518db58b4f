import { type Page, toPage } from '../database/paging.ts';
import type { Queries } from '../ports/database.ts';
import type { Share, SharePosition } from './types.ts';

/** Shares of running assignments. Who has a right by them stands in `assignment_viewers`, which triggers keep. */
export const sharingRepository = {
  async list(
    queries: Queries,
    assignmentId: number,
    query: { readonly after: SharePosition | undefined; readonly limit: number },
  ): Promise<Page<Share>> {
    const { after, limit } = query;
    const rows = await queries
      .selectFrom('shares')
      .select(['id', 'email', 'created_at'])
      .where('assignment_id', '=', assignmentId)
      .$if(after !== undefined, (q) => q.where('email', '>', after!))
      .orderBy('email')
      .limit(limit + 1)
      .execute();
    return toPage(rows, limit, { positionOf: ({ email }): SharePosition => email, toItem: toShare });
  },

  /** Locks the assignment until the transaction ends; `undefined` when it has ended. */
  async lockRunning(
    queries: Queries,
    assignmentId: number,
  ): Promise<{ ownerEmail: string; shares: number } | undefined> {
    const row = await queries
      .selectFrom('assignments as a')
      .innerJoin('users as u', 'u.id', 'a.user_id')
      .select('u.email')
      .where('a.id', '=', assignmentId)
      .where('a.ended_at', 'is', null)
      .forUpdate('a')
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { shares } = await queries
      .selectFrom('shares')
      .select((is) => is.fn.countAll<number>().as('shares'))
      .where('assignment_id', '=', assignmentId)
      .executeTakeFirstOrThrow();
    return { ownerEmail: row.email, shares: Number(shares) };
  },

  /** `undefined` when the device is shared with this address already. */
  async insert(queries: Queries, assignmentId: number, email: string): Promise<Share | undefined> {
    const row = await queries
      .insertInto('shares')
      .values({ assignment_id: assignmentId, email })
      .onConflict((conflict) => conflict.doNothing())
      .returning(['id', 'email', 'created_at'])
      .executeTakeFirst();
    return row && toShare(row);
  },

  /** Ends the share, and with it the right of whoever had it. @returns the address */
  async remove(queries: Queries, assignmentId: number, shareId: string): Promise<string | undefined> {
    const row = await queries
      .deleteFrom('shares')
      .where('id', '=', shareId)
      .where('assignment_id', '=', assignmentId)
      .returning('email')
      .executeTakeFirst();
    return row?.email;
  },

  /** A viewer goes by himself. `false` when he was none. */
  async removeViewer(queries: Queries, assignmentId: number, userId: number): Promise<boolean> {
    const viewer = await queries
      .deleteFrom('assignment_viewers')
      .where('assignment_id', '=', assignmentId)
      .where('user_id', '=', userId)
      .returning('share_id')
      .executeTakeFirst();
    if (viewer === undefined) return false;
    if (viewer.share_id !== null) {
      await queries.deleteFrom('shares').where('id', '=', viewer.share_id).execute();
    }
    return true;
  },
};

function toShare(row: { id: string; email: string; created_at: Date }): Share {
  return { viewerId: row.id, email: row.email, sharedAt: row.created_at };
}
