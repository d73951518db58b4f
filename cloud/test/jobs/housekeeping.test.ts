import { randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPartitionStorage } from '../../src/adapters/partition-storage.ts';
import { housekeepingJobs, removeExpired } from '../../src/jobs/housekeeping.ts';
import { dropExpiredPartitions, ensurePartitions } from '../../src/jobs/partitions.ts';
import { rollUp } from '../../src/jobs/roll-up.ts';
import { telemetryJobs } from '../../src/jobs/telemetry-jobs.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { defaultRetention } from '../../src/telemetry/retention.ts';
import { useCloudDatabase } from '../support/database.ts';
import { silentLogger } from '../support/quiet.ts';

const DAY = 86_400_000;
let database: CloudDatabase;
beforeAll(async () => {
  database = await useCloudDatabase();
});
afterAll(() => database.close());

const partitions = async () =>
  (
    await sql<{
      name: string;
    }>`select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'telemetry_data'::regclass order by 1`.execute(database.db)
  ).rows.map(({ name }) => name.replace('telemetry_data_', ''));
const day = (time: number) => new Date(time).toISOString().slice(0, 10).replaceAll('-', '');
const store = (time: number) =>
  database.db
    .insertInto('telemetry_data')
    .values({
      device_id: 1,
      boot_id: 1,
      component_id: 1,
      metric_id: 1,
      flags: 0,
      seq: 1,
      time: new Date(time),
      value: 1,
    })
    .execute();

describe('day partitions', () => {
  it('hold everything from a week ago to a week ahead, whoever makes them at the same time', async () => {
    const now = Date.UTC(2030, 0, 15, 23, 59, 59, 999);
    await Promise.all([ensurePartitions(database.db, now), ensurePartitions(database.db, now)]);
    for (let offset = -7; offset <= 7; offset += 1) await store(now + offset * DAY);
    await expect(store(now + 8 * DAY)).rejects.toThrow(/no partition/);
  });

  it('are dropped when the raw window has passed them wholly, and not before', async () => {
    const now = Date.UTC(2030, 0, 20, 12);
    await ensurePartitions(database.db, now);
    await rollUp(database);
    await dropExpiredPartitions(database.db, now);
    const left = (await partitions()).filter((name) => name.startsWith('2030'));
    expect(left[0]).toBe(day(now - 7 * DAY));
    expect(left.at(-1)).toBe(day(now + 7 * DAY));
    expect(await dropExpiredPartitions(database.db, now)).toEqual([]);
  });

  it('that were taken out and not dropped are put back, with what is in them, when their day is kept', async () => {
    const now = Date.UTC(2031, 0, 20, 12);
    await ensurePartitions(database.db, now);
    await store(now - 2 * DAY);
    for (const table of ['telemetry_data', 'telemetry_minutes'])
      await sql`alter table ${sql.table(table)}
        detach partition ${sql.table(`${table}_${day(now - 2 * DAY)}`)} concurrently`.execute(database.db);
    await expect(store(now - 2 * DAY + 1_000)).rejects.toThrow(/no partition/);
    await Promise.all([ensurePartitions(database.db, now), ensurePartitions(database.db, now)]);
    await store(now - 2 * DAY + 1_000);
    const kept = await database.db
      .selectFrom('telemetry_data')
      .where('time', '>=', new Date(now - 3 * DAY))
      .select('time')
      .execute();
    expect(kept).toHaveLength(2);
    expect(await rollUp(database)).toBeGreaterThan(0);
  });

  it('whose detaching was cut off are finished and put back, when their day is kept', async () => {
    const now = Date.UTC(2032, 0, 20, 12);
    await ensurePartitions(database.db, now);
    const name = `telemetry_data_${day(now - DAY)}`;
    // The second half of the command waits for whoever reads the partition, and is broken off.
    await database.db.transaction().execute(async (reader) => {
      await sql`select count(*) from telemetry_data`.execute(reader);
      await database.db.connection().execute(async (detaching) => {
        await sql`set statement_timeout = '300ms'`.execute(detaching);
        const detach = sql`alter table telemetry_data detach partition ${sql.table(name)} concurrently`;
        await expect(detach.execute(detaching)).rejects.toThrow(/statement timeout/);
        await sql`reset statement_timeout`.execute(detaching);
      });
    });
    await expect(store(now - DAY)).rejects.toThrow(/no partition/);
    await ensurePartitions(database.db, now);
    await store(now - DAY);
  });
});

describe('what has expired', () => {
  it('is removed, and what has not stays', async () => {
    const challenge = (expiresAt: Date) => ({
      nonce_hash: randomBytes(32),
      device_uuid: randomUUID(),
      expires_at: expiresAt,
      used_at: new Date(1_000),
    });
    await database.db
      .insertInto('challenges')
      .values([challenge(new Date(1_000)), challenge(new Date(3_000))])
      .execute();
    const user = { email: 'ada@example.org', password_hash: 'x' };
    const { id } = await database.db
      .insertInto('users')
      .values(user)
      .returning('id')
      .executeTakeFirstOrThrow();
    const certificate = (serial: string, notAfter: Date) => ({
      app_uuid: randomUUID(),
      user_id: id,
      serial,
      created_at: new Date(500),
      not_after: notAfter,
    });
    await database.db
      .insertInto('app_certificates')
      .values([certificate('old', new Date(1_000)), certificate('new', new Date(3_000))])
      .execute();
    await removeExpired(database.db, new Date(2_000));
    expect(await database.db.selectFrom('app_certificates').select('serial').execute()).toEqual([
      { serial: 'new' },
    ]);
    const left = await database.db.selectFrom('challenges').select('expires_at').execute();
    expect(left).toEqual([{ expires_at: new Date(3_000) }]);
  });
});

describe('the recurring jobs', () => {
  it('run by themselves on the tables as they are', async () => {
    const clock = { now: () => Date.now() };
    const storage = createPartitionStorage({ database, retention: defaultRetention });
    const jobs = [
      ...housekeepingJobs({ database, clock }),
      ...telemetryJobs({ database, storage, clock, log: silentLogger }),
    ];
    expect(jobs.map(({ name }) => name)).toEqual([
      'expired-requests',
      'telemetry-roll-up',
      'telemetry-partitions',
    ]);
    for (const job of jobs) await job.run();
  });
});
