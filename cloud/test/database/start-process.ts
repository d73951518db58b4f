import { openPgDatabase, type PgConnection } from '../../src/adapters/pg-database.ts';
import { createComponentService } from '../../src/components/service.ts';
import { migrate } from '../../src/database/migrate.ts';
import { ensurePartitions } from '../../src/jobs/partitions.ts';
import { silentLogger } from '../support/quiet.ts';

/** What each process of a cloud does with its database when it starts; told by whoever starts several at once. */
const connection = JSON.parse(process.argv[2]!) as PgConnection;
const database = openPgDatabase({ connection, log: silentLogger });
process.stdin.once('data', () => {
  void (async () => {
    const migrated = await migrate(database.db);
    await ensurePartitions(database.db, Date.now());
    await createComponentService({
      database,
      clock: { now: () => Date.now() },
      publisher: { publish: async () => undefined },
    }).seedCatalogue();
    await database.close();
    process.stdout.write(`${JSON.stringify(migrated)}\n`);
    process.stdin.destroy();
  })();
});
process.stdout.write('ready\n');
