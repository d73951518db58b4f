import { PgBoss } from 'pg-boss';
import type { Logger } from '../ports/logger.ts';
import type { ScheduledJob, Scheduler } from '../ports/scheduler.ts';
import type { PgConnection } from './pg-database.ts';

const STOP_MS = 2_000;

/** Schedules in PostgreSQL by pg-boss: every process may offer a job, one runs it. */
export async function startPgBossScheduler(options: {
  readonly connection: PgConnection;
  readonly jobs: readonly ScheduledJob[];
  readonly log: Logger;
  /** How often to look for a job that is due. Default 10 s. */
  readonly pollSeconds?: number;
}): Promise<Scheduler> {
  const { connection, jobs, log, pollSeconds = 10 } = options;
  const boss = new PgBoss({ ...connection, max: 2, application_name: 'ares-jobs' });
  boss.on('error', (error: Error) => log.warn({ error: error.message }, 'the scheduler has an error'));
  await boss.start();
  try {
    for (const job of jobs) {
      await boss.createQueue(job.name, { policy: 'singleton', retryLimit: 3, retryBackoff: true });
      await boss.work(job.name, { pollingIntervalSeconds: pollSeconds }, async () => {
        const startedAt = performance.now();
        await job.run();
        log.info({ job: job.name, ms: Math.round(performance.now() - startedAt) }, 'a job is done');
      });
      await boss.schedule(job.name, job.cron, null, { tz: 'UTC' });
    }
  } catch (error) {
    await boss.stop({ graceful: false });
    throw error;
  }
  return { close: () => boss.stop({ graceful: true, timeout: STOP_MS }) };
}
