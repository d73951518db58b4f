import type { Queries } from '../ports/database.ts';

/** Removes sessions that ended, codes that are too old, and addresses that no device names any more. */
export async function removeExpiredAccess(queries: Queries, before: Date): Promise<void> {
  await queries
    .deleteFrom('sessions')
    .where((is) => is.or([is('expires_at', '<', before), is('ended_at', '<', before)]))
    .execute();
  // The hash of a used token is what tells that it is used again; a session that goes on needs only its newest.
  await queries
    .deleteFrom('refresh_tokens')
    .where('state', '!=', 'FRESH')
    .where('created_at', '<', new Date(before.getTime() - KEPT_MS))
    .execute();
  await queries.deleteFrom('email_codes').where('expires_at', '<', before).execute();
  await queries.deleteFrom('former_emails').where('accepted_until', '<', before).execute();
}

/** As long as an unused session lives: an older token is of a session that went on, and is unknown like any other. */
const KEPT_MS = 30 * 86_400_000;
