import { dropExpiredHours, dropExpiredPartitions, ensurePartitions } from '../jobs/partitions.ts';
import { rollUp } from '../jobs/roll-up.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { ReadingStorage } from '../ports/reading-storage.ts';
import type { Retention } from '../telemetry/retention.ts';

/** Plain PostgreSQL: partitions by day, and roll-ups that are made from marks. */
export function createPartitionStorage(options: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly retention: Retention;
}): ReadingStorage {
  const { database, retention } = options;
  return {
    kind: 'partitions',
    ensure: (now) => ensurePartitions(database.db, now, retention),
    rollUp: () => rollUp(database),
    async dropExpired(now) {
      await dropExpiredHours(database.db, now, retention);
      return await dropExpiredPartitions(database.db, now, retention);
    },
  };
}
