import { sql } from 'kysely';
import type { Queries } from '../ports/database.ts';

export const deletionRepository = {
  /** From now on nobody signs in, claims or sees anything by this account. */
  async begin(trx: Queries, userId: number, at: Date): Promise<void> {
    await trx.updateTable('users').set({ deleted_at: at }).where('id', '=', userId).execute();
    await trx.deleteFrom('claims').where('user_id', '=', userId).where('used_at', 'is', null).execute();
    await trx.deleteFrom('email_codes').where('user_id', '=', userId).execute();
    await trx.deleteFrom('user_roles').where('user_id', '=', userId).execute();
  },

  /** Accounts whose deletion is not finished. */
  async begun(queries: Queries): Promise<readonly number[]> {
    const rows = await queries
      .selectFrom('users')
      .where('deleted_at', 'is not', null)
      .where('erased_at', 'is', null)
      .select('id')
      .orderBy('deleted_at')
      .limit(50)
      .execute();
    return rows.map(({ id }) => id);
  },

  runningAssignments(queries: Queries, userId: number) {
    return queries
      .selectFrom('assignments as a')
      .innerJoin('devices as d', 'd.id', 'a.device_id')
      .where('a.user_id', '=', userId)
      .where('a.ended_at', 'is', null)
      .select(['a.id as assignmentId', 'd.device_uuid as deviceUuid'])
      .orderBy('a.id')
      .execute();
  },

  /**
   * Takes away what tells who it was. The row stays as a pseudonym: history and audit log point to it.
   * @returns whether this call did it
   */
  async erase(trx: Queries, userId: number, at: Date): Promise<boolean> {
    const erased = await trx
      .updateTable('users')
      .set({
        email: sql<string>`'erased-' || user_uuid || '@erased.invalid'`,
        // No password has such a hash.
        password_hash: '',
        display_name: null,
        locale: null,
        time_zone: null,
        notifications: '{}',
        email_verified_at: null,
        erased_at: at,
      })
      .where('id', '=', userId)
      .where('deleted_at', 'is not', null)
      .where('erased_at', 'is', null)
      .returning('id')
      .executeTakeFirst();
    if (erased === undefined) return false;
    await trx.deleteFrom('former_emails').where('user_id', '=', userId).execute();
    await trx.deleteFrom('sessions').where('user_id', '=', userId).execute();
    await trx.deleteFrom('assignment_viewers').where('user_id', '=', userId).execute();
    // Whom he shared with: their addresses, and their view of the time that was his.
    const his = trx.selectFrom('assignments').select('id').where('user_id', '=', userId);
    await trx.deleteFrom('assignment_viewers').where('assignment_id', 'in', his).execute();
    await trx.deleteFrom('shares').where('assignment_id', 'in', his).execute();
    await trx.deleteFrom('idempotency_keys').where('user_id', '=', userId).execute();
    await trx.deleteFrom('claims').where('user_id', '=', userId).execute();
    await trx.deleteFrom('claim_attempts').where('user_id', '=', userId).execute();
    await trx
      .updateTable('attached_components')
      .set({ name: null })
      .where('assignment_id', 'in', his)
      .where('name', 'is not', null)
      .execute();
    return true;
  },
};
