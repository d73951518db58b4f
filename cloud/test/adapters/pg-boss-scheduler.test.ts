import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { usePostgres } from '../../../test/support/postgres.ts';
import { startPgBossScheduler } from '../../src/adapters/pg-boss-scheduler.ts';
import { silentLogger, until } from '../support/quiet.ts';

describe('recurring jobs in PostgreSQL', () => {
  it('are offered by every process, run by one at a time, and run again after a failure', async () => {
    const connection = await usePostgres();
    const client = new pg.Client(connection);
    await client.connect();
    /** A scheduler has asked for work since; not the one that runs a job, which asks when it is done. */
    const anotherAsks = async () => {
      const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now');
      await until(async () => {
        const asked = await client.query(
          `select 1 from pg_stat_activity where application_name = 'ares-jobs' and query_start > $1
             and query ilike '%skip locked%'`,
          [rows[0]!.now],
        );
        return asked.rows.length > 0;
      }, 'the other scheduler asks for work');
    };
    let running = 0;
    let most = 0;
    let runs = 0;
    const job = {
      name: 'tidy-up',
      cron: '10 0 * * *',
      async run() {
        runs += 1;
        running += 1;
        most = Math.max(most, running);
        await anotherAsks();
        running -= 1;
        if (runs === 1) throw new Error('first time');
      },
    };
    const start = () =>
      startPgBossScheduler({ connection, jobs: [job], log: silentLogger, pollSeconds: 0.5 });
    const [one, two] = [await start(), await start()];
    const { rows } = await client.query('select name, cron, timezone from pgboss.schedule');
    expect(rows).toEqual([{ name: 'tidy-up', cron: '10 0 * * *', timezone: 'UTC' }]);
    // What the schedule does at its time.
    for (let n = 0; n < 3; n += 1) {
      await client.query(
        `insert into pgboss.job (name, retry_limit, retry_delay, policy) values ('tidy-up', 3, 0, 'singleton')`,
      );
    }
    await until(() => runs >= 2, 'a second run after the failed one', 19_000);
    expect(most).toBe(1);
    await until(() => running === 0, 'the end of the run');
    const startedAt = performance.now();
    await Promise.all([one.close(), two.close()]);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    await client.end();
  }, 30_000);
});
