import { removeExpiredAccess } from '../accounts/expiry.ts';
import { IDEMPOTENCY_KEPT_MS, removeOldAnswers } from '../idempotency/service.ts';
import { removeExpiredTokens } from '../keys/expired.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase, Queries } from '../ports/database.ts';
import type { ScheduledJob } from '../ports/scheduler.ts';

/** What has expired is kept for a day, so that a late request still hears why it is refused. */
const KEPT_MS = 86_400_000;

/** The recurring work of the database. */
export function housekeepingJobs(ports: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
}): readonly ScheduledJob[] {
  const { database, clock } = ports;
  return [
    {
      name: 'expired-requests',
      cron: '20 * * * *',
      async run() {
        await removeExpired(database.db, new Date(clock.now() - KEPT_MS));
        await removeOldAnswers(database.db, new Date(clock.now() - IDEMPOTENCY_KEPT_MS));
      },
    },
  ];
}

/** Removes claims, challenges, tokens, certificates of apps, keys of those, and counted tries that ended before the time. */
export async function removeExpired(queries: Queries, before: Date): Promise<void> {
  await queries.deleteFrom('claims').where('expires_at', '<', before).execute();
  await queries.deleteFrom('challenges').where('expires_at', '<', before).execute();
  await queries.deleteFrom('recovery_tokens').where('expires_at', '<', before).execute();
  await queries.deleteFrom('claim_attempts').where('at', '<', before).execute();
  await queries.deleteFrom('recovery_failures').where('at', '<', before).execute();
  await queries.deleteFrom('app_certificates').where('not_after', '<', before).execute();
  await removeExpiredTokens(queries, before);
  await removeExpiredAccess(queries, before);
}
