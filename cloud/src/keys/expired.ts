import { OFFLINE_TOKEN_MAX_MS } from '@ares/protocol/offline-tokens';
import { sql } from 'kysely';
import type { Queries } from '../ports/database.ts';

/** Removes tokens that expired before the time, and keys that ended so long before that they signed none of later. */
export async function removeExpiredTokens(queries: Queries, before: Date): Promise<void> {
  await queries.deleteFrom('offline_tokens').where('expires_at', '<', before).execute();
  await queries
    .deleteFrom('device_keys')
    .where(
      sql<Date>`greatest(rotated_at, deactivated_at)`,
      '<',
      new Date(before.getTime() - OFFLINE_TOKEN_MAX_MS),
    )
    .execute();
}
