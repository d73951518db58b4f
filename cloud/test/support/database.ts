import { usePostgres } from '../../../test/support/postgres.ts';
import { openPgDatabase } from '../../src/adapters/pg-database.ts';
import { createComponentService } from '../../src/components/service.ts';
import { migrate } from '../../src/database/migrate.ts';
import { ensurePartitions } from '../../src/jobs/partitions.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { silentLogger } from './quiet.ts';

/** A database of its own with every table, the built-in catalogue and the partitions of these days. Close it. */
export async function useCloudDatabase(): Promise<CloudDatabase> {
  const connection = await usePostgres({
    name: 'ares_cloud_seeded',
    async prepare(draft) {
      const database = openPgDatabase({ connection: draft, log: silentLogger });
      await migrate(database.db);
      await ensurePartitions(database.db, Date.now());
      await createComponentService({
        database,
        clock: { now: () => Date.now() },
        publisher: { publish: async () => undefined },
      }).seedCatalogue();
      await database.close();
    },
  });
  return openPgDatabase({ connection, log: silentLogger });
}
