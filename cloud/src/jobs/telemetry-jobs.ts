import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { ReadingStorage } from '../ports/reading-storage.ts';
import type { ScheduledJob } from '../ports/scheduler.ts';
import { DAY_MS } from '../telemetry/retention.ts';

/** Readings with unexpected times are there to be looked at, not to be kept. */
const QUARANTINE_DAYS = 30;

/** The recurring work on readings. Each may run twice, and on two replicas at once. */
export function telemetryJobs(ports: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly storage: ReadingStorage;
  readonly clock: Clock;
  readonly log: Logger;
}): readonly ScheduledJob[] {
  const { database, storage, clock, log } = ports;
  return [
    { name: 'telemetry-roll-up', cron: '* * * * *', run: async () => void (await storage.rollUp()) },
    {
      name: 'telemetry-partitions',
      cron: '10 * * * *',
      async run() {
        await storage.ensure(clock.now());
        // Before anything is dropped that it is made from.
        await storage.rollUp();
        const dropped = await storage.dropExpired(clock.now());
        if (dropped.length > 0) log.info({ dropped }, 'dropped expired readings');
        await database.db
          .deleteFrom('telemetry_quarantine')
          .where('at', '<', new Date(clock.now() - QUARANTINE_DAYS * DAY_MS))
          .execute();
      },
    },
  ];
}
