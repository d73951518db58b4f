import { type KyselyPlugin, sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import type { CloudDatabase } from '../../cloud/src/ports/database.ts';
import { type LiveDevice, type LiveWorld, liveWorld, range } from '../../cloud/test/support/live-world.ts';
import { until } from '../../cloud/test/support/quiet.ts';

let world: LiveWorld;
afterEach(async () => {
  await world?.close();
});

const seqsOf = async (device: LiveDevice) =>
  (
    await world.database.db
      .selectFrom('telemetry_data')
      .where('device_id', '=', device.deviceId)
      .orderBy('seq')
      .select('seq')
      .execute()
  ).map(({ seq }) => seq);

describe('TEL-12 a reading that the database refuses', () => {
  it('is named, and every other one of its batch is stored, of its own device and of others', async () => {
    world = await liveWorld({ ingest: { batch: { flushEveryMs: 100 } } });
    // Stands for whatever nobody thought of: no check before the database catches it.
    await sql`alter table telemetry_data add constraint poison check (value <> 66.6)`.execute(
      world.database.db,
    );
    const devices = [await world.newDevice(), await world.newDevice(), await world.newDevice()] as const;
    for (const device of devices) {
      await device.readings([device.reading(1)]);
      await until(() => device.stored().has(1), 'the device to be known');
    }
    const list = (device: LiveDevice) => range(2, 41).map((seq) => device.reading(seq));
    await Promise.all([
      devices[0].readings(list(devices[0])),
      devices[1].readings(
        list(devices[1]).map((reading) =>
          reading.seq === 17 || reading.seq === 40 ? { ...reading, value: 66.6 } : reading,
        ),
      ),
      devices[2].readings(list(devices[2])),
    ]);
    for (const device of devices) await until(() => device.acks.length === 2, 'the acknowledgements');
    expect(devices[1].rejected()).toEqual([
      { seq: 17, code: 'NOT_STORABLE', final: true },
      { seq: 40, code: 'NOT_STORABLE', final: true },
    ]);
    expect(await seqsOf(devices[0])).toEqual(range(1, 41));
    expect(await seqsOf(devices[1])).toEqual(range(1, 41).filter((seq) => seq !== 17 && seq !== 40));
    expect(await seqsOf(devices[2])).toEqual(range(1, 41));
    expect([...devices[1].stored()].sort((a, b) => a - b)).toEqual(await seqsOf(devices[1]));
  });

  it('is stored after all when only the partition of its day was missing', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await device.readings([device.reading(1)]);
    await until(() => device.stored().has(1), 'the first');
    const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
    await sql.raw(`drop table telemetry_data_${today}`).execute(world.database.db);
    await device.readings([device.reading(2)]);
    await until(() => device.stored().has(2), 'the second');
    expect(await seqsOf(device)).toEqual([2]);
  });
});

describe('TEL-13 two ingest replicas', () => {
  it('that both get everything store each reading once and block each other never', async () => {
    world = await liveWorld();
    await world.startIngest();
    const devices: LiveDevice[] = [];
    for (let i = 0; i < 4; i++) devices.push(await world.newDevice());
    for (const device of devices) await device.readings([device.reading(1)]);
    for (const device of devices) await until(() => device.stored().has(1), 'the devices to be known');
    for (let round = 0; round < 20; round++)
      for (const device of devices)
        await device.readings(
          range(2 + round * 20, 21 + round * 20)
            .map((seq) => device.reading(seq))
            .reverse(),
        );
    for (const device of devices) {
      await until(() => device.stored().size === 401, 'everything');
      expect(await seqsOf(device)).toEqual(range(1, 401));
    }
  });

  it('lose nothing when one dies between receipt and commit: what it held is not acknowledged by anyone', async () => {
    world = await liveWorld({ ingest: { batch: { flushEveryMs: 1_000 } } });
    const device = await world.newDevice();
    await device.readings([device.reading(1)]);
    await until(() => device.stored().has(1), 'the device to be known');
    await device.readings([device.reading(2), device.reading(3)]);
    await until(() => world.ingest.buffered() === 2, 'the receipt');
    // Killed: its buffer is gone, and the next one gets only what is sent again.
    await world.ingest.close(0);
    await world.startIngest();
    await device.readings([device.reading(9)]);
    await until(() => device.stored().has(9), 'a later reading through the other');
    const isNamed = device.stored().has(2);
    expect(await seqsOf(device)).toEqual(isNamed ? [1, 2, 3, 9] : [1, 9]);
    await device.readings([device.reading(2), device.reading(3)]);
    await until(() => device.stored().has(3), 'the repetition');
    expect(await seqsOf(device)).toEqual([1, 2, 3, 9]);
  });
});

describe('NET-02 a database that is away', () => {
  /** Fails the statements that are about readings, as a server does that is being restarted. */
  const failing =
    (isDown: () => boolean) =>
    (database: CloudDatabase): CloudDatabase => {
      const plugin: KyselyPlugin = {
        transformQuery: (args) => {
          if (isDown() && JSON.stringify(args.node).includes('telemetry_data'))
            throw Object.assign(new Error('terminating connection due to administrator command'), {
              code: '57P01',
            });
          return args.node;
        },
        transformResult: async (args) => args.result,
      };
      return { ...database, db: database.db.withPlugin(plugin) };
    };

  it('acknowledges nothing meanwhile, keeps the process alive, and stores it once when the database is back', async () => {
    let down = false;
    world = await liveWorld({ wrap: failing(() => down) });
    const device = await world.newDevice();
    await device.readings([device.reading(1)]);
    await until(() => device.stored().has(1), 'the first');
    down = true;
    await device.readings([device.reading(2)]);
    await device.readings([device.reading(2)]);
    await until(() => world.ingest.buffered() === 2, 'the receipt');
    await new Promise((next) => setTimeout(next, 400));
    expect(device.acks).toHaveLength(1);
    expect(device.client.connected).toBe(true);
    down = false;
    await until(() => device.acks.length === 3, 'the answers');
    expect(await seqsOf(device)).toEqual([1, 2]);
  });

  it('sheds without an answer when its buffer is full, one device after its share', async () => {
    let down = false;
    world = await liveWorld({
      wrap: failing(() => down),
      ingest: { rowsPerDevice: 100, batch: { bufferRows: 150 } },
    });
    const [greedy, modest] = [await world.newDevice(), await world.newDevice()];
    for (const device of [greedy, modest]) {
      await device.readings([device.reading(1)]);
      await until(() => device.stored().has(1), 'the device to be known');
    }
    down = true;
    for (let i = 0; i < 10; i++)
      await greedy.readings(range(2 + i * 30, 31 + i * 30).map((seq) => greedy.reading(seq)));
    await until(() => world.ingest.counters.shed === 210, 'the share of the greedy one to be used up');
    await modest.readings(range(2, 31).map((seq) => modest.reading(seq)));
    await until(() => world.ingest.buffered() === 120, 'room for the modest one');
    await modest.readings(range(32, 91).map((seq) => modest.reading(seq)));
    await until(() => world.ingest.counters.shed === 270, 'the buffer to be full');
    down = false;
    await until(() => modest.stored().size === 31 && greedy.stored().size === 91, 'what was taken');
    expect(modest.acks).toHaveLength(2);
    expect(greedy.acks).toHaveLength(4);
  });
});
