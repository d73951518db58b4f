import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { createReadingQuarantine, quarantineRoutes } from '../../src/telemetry/quarantine.ts';
import { type LiveDevice, type LiveWorld, liveWorld, range } from '../support/live-world.ts';
import { silentLogger, until } from '../support/quiet.ts';

const DAY = 86_400_000;
let world: LiveWorld;
afterEach(async () => {
  await world?.close();
});

const kept = (device: LiveDevice) =>
  world.database.db
    .selectFrom('telemetry_quarantine')
    .where('device_id', '=', device.deviceId)
    .orderBy('seq')
    .selectAll()
    .execute();

describe('a reading with an unexpected time', () => {
  it('is refused for good, set aside with its reason, and harms no neighbour', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const now = Date.now();
    await device.readings([
      device.reading(1),
      device.reading(2, { measuredAt: now + 3_600_000, value: 33 }),
      device.reading(3, { measuredAt: Date.UTC(2099, 0, 1) }),
      device.reading(4, { measuredAt: Date.UTC(2023, 0, 1) }),
      device.reading(5, { measuredAt: now - 8 * DAY }),
    ]);
    await until(() => device.stored().has(1), 'the good one');
    const rows = await until(async () => {
      const found = await kept(device);
      return found.length === 4 ? found : undefined;
    }, 'the others');
    expect(rows.map(({ seq, reason }) => [seq, reason])).toEqual([
      [2, 'CLOCK'],
      [3, 'CLOCK'],
      [4, 'CLOCK'],
      [5, 'TOO_OLD'],
    ]);
    expect(rows[0]).toMatchObject({
      metric: 'temperature',
      value: 33,
      component_id: device.components['dht22'],
      measured_at_ms: now + 3_600_000,
      boot_id: device.boot.bootId,
    });
    expect(device.rejected().every(({ final }) => final)).toBe(true);
  });

  it('is set aside, not tried for ever, when no partition can be made for it', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await device.readings([device.reading(1)]);
    await until(() => device.stored().has(1), 'the first');
    // Another table has the name that a new one would get.
    const before = Date.now() - 2 * DAY;
    const name = `telemetry_data_${new Date(before).toISOString().slice(0, 10).replaceAll('-', '')}`;
    await sql`alter table telemetry_data detach partition ${sql.table(name)}`.execute(world.database.db);
    await sql`drop table ${sql.table(name)}`.execute(world.database.db);
    await sql`create table ${sql.table(name)} (note text)`.execute(world.database.db);
    await device.readings([
      device.reading(2),
      device.reading(3, { measuredAt: before }),
      device.reading(4),
      device.reading(5, { measuredAt: before + 1 }),
    ]);
    await until(() => device.rejected().length === 2, 'the refusal');
    expect(device.rejected().map(({ seq, code, final }) => [seq, code, final])).toEqual([
      [3, 'NOT_STORABLE', true],
      [5, 'NOT_STORABLE', true],
    ]);
    expect([...device.stored()].sort()).toEqual([1, 2, 4]);
    const rows = await until(async () => {
      const found = await kept(device);
      return found.length === 2 ? found : undefined;
    }, 'both set aside');
    expect(rows.map(({ reason }) => reason)).toEqual(['NO_PARTITION', 'NO_PARTITION']);
    expect(world.ingest.buffered()).toBe(0);
  });
});

describe('the quarantine', () => {
  it('keeps the newest of each device, up to its bound, and takes no more at once than it can write', async () => {
    world = await liveWorld();
    const [flooding, modest] = [await world.newDevice(), await world.newDevice()];
    const quarantine = createReadingQuarantine({
      database: world.database,
      log: silentLogger,
      mostOfADevice: 30,
      writeEveryMs: 10,
    });
    const reading = (deviceId: number, seq: number) => ({
      deviceId,
      seq,
      reason: 'CLOCK' as const,
      bootId: 'a'.repeat(32),
      componentId: 1,
      metric: 'temperature',
      value: 1,
      measuredAtMs: 5e15,
    });
    quarantine.keep(reading(modest.deviceId, 1));
    for (let round = 0; round < 3; round += 1) {
      for (const seq of range(1, 300)) quarantine.keep(reading(flooding.deviceId, round * 1_000 + seq));
      await quarantine.close();
    }
    const seqs = (await kept(flooding)).map(({ seq }) => seq);
    expect(seqs).toEqual(range(2_171, 2_200));
    expect(await kept(modest)).toHaveLength(1);
  });

  it('is listed page by page, newest first, by device and by reason', async () => {
    world = await liveWorld();
    const [one, other] = [await world.newDevice(), await world.newDevice()];
    const quarantine = createReadingQuarantine({ database: world.database, log: silentLogger });
    for (const seq of range(1, 7))
      quarantine.keep({
        deviceId: (seq % 2 === 0 ? other : one).deviceId,
        seq,
        reason: seq > 5 ? 'TOO_OLD' : 'CLOCK',
        bootId: 'a'.repeat(32),
        componentId: 1,
        metric: 'temperature',
        value: seq,
        measuredAtMs: 5e15,
      });
    await quarantine.close();
    const { quarantinedReadings } = quarantineRoutes(world.database);
    const list = async (query: object) => {
      const answer = await quarantinedReadings({ query: { limit: 50, ...query } } as never);
      if (!('body' in answer)) throw new Error('no body');
      return answer.body;
    };
    const seqs = async (query: object) => (await list(query)).items.map(({ seq }) => seq);
    expect(await seqs({})).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(await seqs({ deviceUuid: other.deviceUuid })).toEqual([6, 4, 2]);
    expect(await seqs({ reason: 'TOO_OLD' })).toEqual([7, 6]);
    const first = await list({ limit: 3 });
    expect(first.items[0]).toMatchObject({ deviceUuid: one.deviceUuid, measuredAtMs: 5e15, value: 7 });
    expect(await seqs({ limit: 9, cursor: first.nextCursor })).toEqual([4, 3, 2, 1]);
  });

  it('forgets what cannot be written, and goes on', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const quarantine = createReadingQuarantine({ database: world.database, log: silentLogger });
    const reading = {
      deviceId: -1,
      seq: 1,
      reason: 'CLOCK' as const,
      bootId: 'b',
      componentId: 1,
      metric: 'm',
      value: 1,
      measuredAtMs: 1,
    };
    quarantine.keep(reading);
    await quarantine.close();
    quarantine.keep({ ...reading, deviceId: device.deviceId });
    await quarantine.close();
    expect(await kept(device)).toHaveLength(1);
  });
});
