import { afterEach, describe, expect, it } from 'vitest';
import { type LiveWorld, liveWorld, newBoot, range } from '../support/live-world.ts';
import { fakeClock, until } from '../support/quiet.ts';

let world: LiveWorld;
afterEach(async () => {
  await world?.close();
});

const rows = () =>
  world.database.db
    .selectFrom('telemetry_readings' as never)
    .selectAll()
    .orderBy('seq' as never)
    .execute() as Promise<Record<string, unknown>[]>;

describe('a signed message of readings', () => {
  it('becomes rows, and an acknowledgement that names them', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const measuredAt = Date.now() - 1_000;
    await device.readings([
      device.reading(1, { measuredAt }),
      device.reading(2, { metric: 'humidity', value: 55.25, measuredAt, quality: 'suspect' }),
    ]);
    await until(() => device.acks.length === 1, 'the acknowledgement');
    expect(device.acks[0]).toMatchObject({
      kid: 'a1.1',
      bootId: device.boot.bootId,
      stored: [[1, 2]],
      rejected: [],
    });
    expect(Math.abs(device.acks[0]!.cloudTime - Date.now())).toBeLessThan(5_000);
    expect(await rows()).toMatchObject([
      {
        seq: 1,
        metric: 'temperature',
        value: 21.5,
        flags: 0,
        time: new Date(measuredAt),
        component_type: 'dht22',
      },
      { seq: 2, metric: 'humidity', value: 55.25, flags: 2 },
    ]);
  });

  it('TEL-04 is stored once and acknowledged each time when it comes again, also 200 times at once', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const list = range(1, 10).map((seq) => device.reading(seq));
    await device.readings(list);
    await until(() => device.acks.length === 1, 'the first acknowledgement');
    for (let i = 1; i < 200; i++) void device.readings(list);
    await until(() => device.acks.length === 200, 'an acknowledgement for each');
    for (const ack of device.acks) expect(ack).toMatchObject({ stored: [[1, 10]], rejected: [] });
    expect(await rows()).toHaveLength(10);
  });

  it('TEL-08 takes a backfill of 72 hours with old times and fresh sentAt, over several days', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const start = Date.now() - 72 * 3_600_000;
    const all = range(1, 2_000).map((seq) => device.reading(seq, { measuredAt: start + seq * 129_000 }));
    for (let i = 0; i < all.length; i += 500) await device.readings(all.slice(i, i + 500));
    await until(() => device.stored().size === 2_000, 'everything to be stored');
    expect(await rows()).toHaveLength(2_000);
  });

  it('is refused reading by reading, with a reason each, and the others are stored', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const pump = device.components['pump']!;
    const now = Date.now();
    await device.readings([
      device.reading(1),
      device.reading(2, { value: 81 }),
      device.reading(3, { value: 'warm' }),
      device.reading(4, { metric: 'pressure' }),
      device.reading(5, { componentId: 999_999 }),
      device.reading(6, { componentId: pump, metric: 'state', value: 1 }),
      device.reading(7, { measuredAt: 1_000 }),
      device.reading(8, { measuredAt: now + 400_000 }),
      device.reading(9, { measuredAt: now - 8 * 86_400_000 }),
      device.reading(10, { extra: true }),
      device.reading(11, { uptimeMs: 5 }),
      device.reading(12, { metric: '\u0000' }),
      device.reading(13, { metric: '\ud800' }),
      { seq: -1 },
      null as never,
      device.reading(14),
    ]);
    await until(() => device.acks.length === 1, 'the acknowledgement');
    expect([...device.stored()]).toEqual([1, 14]);
    expect(device.rejected().sort((a, b) => a.seq - b.seq)).toEqual([
      { seq: 2, code: 'RANGE', final: true },
      { seq: 3, code: 'SCHEMA', final: true },
      { seq: 4, code: 'UNKNOWN_METRIC', final: true },
      { seq: 5, code: 'NOT_ATTACHED', final: true },
      { seq: 6, code: 'NOT_ATTACHED', final: true },
      { seq: 7, code: 'CLOCK', final: true },
      { seq: 8, code: 'CLOCK', final: true },
      { seq: 9, code: 'TOO_OLD', final: true },
      { seq: 10, code: 'SCHEMA', final: true },
      { seq: 11, code: 'SCHEMA', final: true },
      { seq: 12, code: 'SCHEMA', final: true },
      { seq: 13, code: 'SCHEMA', final: true },
    ]);
  });

  it('takes a component that was attached a moment ago, and refuses one that was detached before the measurement', async () => {
    world = await liveWorld();
    const device = await world.newDevice({ types: ['dht22'] });
    await device.readings([device.reading(1)]);
    await until(() => device.acks.length === 1, 'the first acknowledgement');
    const detachedAt = new Date();
    await world.database.db
      .updateTable('attached_components')
      .set({ detached_at: detachedAt })
      .where('id', '=', device.components['dht22']!)
      .execute();
    await world.database.notify(world.database.db, 'device', { deviceUuid: device.deviceUuid });
    // The news of it takes a moment; what is sent before it arrives is taken.
    let late = 2;
    await until(async () => {
      late += 1;
      await device.readings([
        device.reading(2, { measuredAt: detachedAt.getTime() - 5 }),
        device.reading(late, { measuredAt: detachedAt.getTime() + 5 }),
      ]);
      return device.rejected().length > 0;
    }, 'the refusal');
    expect(device.stored()).toContain(2);
    expect(device.rejected()[0]).toMatchObject({ code: 'NOT_ATTACHED', final: true });
  });

  it('TEL-07 with a sentAt off by more than five minutes is refused for now, as a whole', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    for (const off of [-301_000, 301_000])
      await device.readings([device.reading(1)], { sentAt: Date.now() + off });
    await device.readings([device.reading(2)], { sentAt: Date.now() - 295_000 });
    await until(() => device.acks.length === 3, 'the acknowledgements');
    expect(device.rejected()).toEqual([
      { seq: 1, code: 'CLOCK', final: false },
      { seq: 1, code: 'CLOCK', final: false },
    ]);
    expect([...device.stored()]).toEqual([2]);
  });

  it('refuses for now what comes with too many new boots in a day, and harms no known boot', async () => {
    world = await liveWorld({ ingest: { newBootsPerDay: 3 } });
    const device = await world.newDevice();
    const boots = [1, 2, 3, 4].map((count) => newBoot(count));
    for (const boot of boots) {
      const before = device.acks.length;
      await device.readings([device.reading(1)], boot);
      await until(() => device.acks.length > before, 'an acknowledgement');
    }
    expect(device.acks.map(({ stored }) => stored.length)).toEqual([1, 1, 1, 0]);
    expect(device.rejected()).toEqual([{ seq: 1, code: 'TOO_MANY_BOOTS', final: false }]);
    await device.readings([device.reading(2)], boots[0]);
    await until(() => device.acks.length === 5, 'the last acknowledgement');
    expect(device.acks[4]!.stored).toEqual([[2, 2]]);
  });
});

describe('a boot without a trusted clock', () => {
  it('is placed by the birth of the running boot, once, and flagged', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const at = (seq: number, uptimeMs: number) => device.reading(seq, { measuredAt: undefined, uptimeMs });
    await device.readings([at(1, 1_000)], { sentAt: null });
    await until(() => device.acks.length === 1, 'the refusal');
    expect(device.rejected()).toEqual([{ seq: 1, code: 'CLOCK', final: false }]);

    const bornAt = Date.now();
    await device.birth({ sentAt: null, uptimeMs: 50_000 });
    await device.readings([at(1, 1_000)], { sentAt: null, uptimeMs: 51_000 });
    await until(() => device.stored().size === 1, 'the reading');
    // Another birth of the same boot, later: the anchor stays where it is.
    await device.birth({ sentAt: null, uptimeMs: 99_000 });
    await device.readings([at(2, 2_000)], { sentAt: null, uptimeMs: 99_500 });
    await until(() => device.stored().size === 2, 'the second reading');
    const [first, second] = await rows();
    expect(first).toMatchObject({ flags: 1 });
    expect(Math.abs((first!['time'] as Date).getTime() - (bornAt - 49_000))).toBeLessThan(2_000);
    expect((second!['time'] as Date).getTime() - (first!['time'] as Date).getTime()).toBe(1_000);
  });

  it('is placed to end where the next one begins when it arrives only later', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const [earlier, running] = [newBoot(4), newBoot(5)];
    const now = Date.now();
    await device.birth({ ...running, uptimeMs: 20_000, sentAt: now });
    await device.readings([device.reading(7, { measuredAt: undefined, uptimeMs: 300_000 })], {
      ...earlier,
      uptimeMs: 600_000,
    });
    await until(() => device.stored().size === 1, 'the reading');
    const [row] = await rows();
    expect(row).toMatchObject({ seq: 7, flags: 1, boot_count: 4 });
    // The running boot began 20 s ago, the earlier one ended there after 600 s: 300 s into it.
    expect((row!['time'] as Date).getTime()).toBe(now - 20_000 - 300_000);
  });

  it('waits for its place until those between have theirs, as the oldest come first', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const [third, fourth, running] = [newBoot(3), newBoot(4), newBoot(5)];
    const now = Date.now();
    await device.birth({ ...running, uptimeMs: 20_000, sentAt: now });
    const send = (seq: number, boot: object) =>
      device.readings([device.reading(seq, { measuredAt: undefined, uptimeMs: 60_000 })], {
        ...boot,
        uptimeMs: 60_000,
      });
    await send(3, third);
    await until(() => device.rejected().length === 1, 'the refusal');
    expect(device.rejected()).toEqual([{ seq: 3, code: 'CLOCK', final: false }]);
    await send(4, fourth);
    await until(() => device.stored().has(4), 'the boot before the running one');
    await send(3, third);
    await until(() => device.stored().has(3), 'the boot before that');
    const times = (await rows()).map((row) => (row['time'] as Date).getTime() - now);
    expect(times.sort((a, b) => a - b)).toEqual([-20_000 - 60_000, -20_000]);
  });

  it('does not wait for ever for boots that measured nothing', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice();
    await device.birth({ ...newBoot(9), uptimeMs: 20_000 });
    const first = newBoot(2);
    const send = () =>
      device.readings([device.reading(1, { measuredAt: undefined, uptimeMs: 5_000 })], {
        ...first,
        uptimeMs: 5_000,
      });
    await send();
    await until(() => device.rejected().length === 1, 'the refusal');
    clock.advance(62_000);
    await send();
    await until(() => device.stored().has(1), 'the reading');
  });
});
