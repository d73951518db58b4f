import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KyselyPlugin } from 'kysely';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../cloud/src/adapters/embedded-postgres.ts';
import { openPgDatabase } from '../../cloud/src/adapters/pg-database.ts';
import { createComponentService } from '../../cloud/src/components/service.ts';
import { migrate } from '../../cloud/src/database/migrate.ts';
import { ensurePartitions } from '../../cloud/src/jobs/partitions.ts';
import type { CloudDatabase } from '../../cloud/src/ports/database.ts';
import { type LiveDevice, type LiveWorld, liveWorld, range } from '../../cloud/test/support/live-world.ts';
import { silentLogger, until } from '../../cloud/test/support/quiet.ts';

let world: LiveWorld | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

/** A PostgreSQL of its own, that can be killed and started again as the same. */
async function ownServer() {
  const folder = await mkdtemp(join(tmpdir(), 'ares-net-'));
  const start = () => startEmbeddedPostgres({ dataDir: join(folder, 'database'), log: () => undefined });
  let server: EmbeddedPostgres = await start();
  const database = openPgDatabase({ connection: server.connection, log: silentLogger });
  await migrate(database.db);
  await ensurePartitions(database.db, Date.now());
  await createComponentService({
    database,
    clock: { now: Date.now },
    publisher: { publish: async () => undefined },
  }).seedCatalogue();
  onTestFinished(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    database,
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    stop: () => server.stop(),
    async start() {
      server = await start();
    },
  };
}

const storedOf = async ({ database }: LiveWorld, device: LiveDevice) =>
  (
    await database.db
      .selectFrom('telemetry_data')
      .where('device_id', '=', device.deviceId)
      .orderBy('seq')
      .select('seq')
      .execute()
  ).map(({ seq }) => seq);

/** Sends what is not acknowledged again and again, as an agent does, and new readings in between. */
function load(devices: readonly LiveDevice[]) {
  let over = false;
  const sent = new Map(devices.map((device) => [device, 0]));
  const run = async (device: LiveDevice) => {
    while (!over || device.stored().size < sent.get(device)!) {
      if (!over) sent.set(device, sent.get(device)! + 5);
      const stored = device.stored();
      const open = range(1, sent.get(device)!).filter((seq) => !stored.has(seq));
      if (open.length > 0) await device.readings(open.slice(0, 50).map((seq) => device.reading(seq)));
      await new Promise((next) => setTimeout(next, 20));
    }
  };
  const running = devices.map(run);
  // A test that has failed takes the connections away.
  for (const one of running) one.catch(() => undefined);
  return {
    async end() {
      over = true;
      await Promise.all(running);
      return sent;
    },
  };
}

describe('NET-02 a real PostgreSQL under load', () => {
  it.each(['killed', 'stopped'] as const)(
    'that is %s has nothing acknowledged while it is away, loses nothing, and has nothing twice',
    async (how) => {
      const server = await ownServer();
      world = await liveWorld({ database: server.database });
      const devices = [await world.newDevice(), await world.newDevice(), await world.newDevice()];
      const loading = load(devices);
      await until(() => devices.every((device) => device.stored().size > 50), 'the load', 60_000);
      for (let round = 0; round < 2; round += 1) {
        if (how === 'killed') await server.kill();
        else await server.stop();
        // What was committed before may still be told.
        await until(() => world!.ingest.buffered() > 0, 'readings that wait', 60_000);
        const acks = () => devices.map((device) => device.acks.length);
        let before = acks();
        await until(
          async () => {
            await new Promise((next) => setTimeout(next, 100));
            const now = acks();
            const isQuiet = now.join() === before.join();
            before = now;
            return isQuiet;
          },
          'the last answers',
          60_000,
        );
        // What waits does not grow for ever: a device has its share of the buffer, and a slow stop fills it.
        const { counters } = world.ingest;
        const received = counters.received;
        await until(() => counters.received > received + 500, 'more that comes', 60_000);
        expect(acks()).toEqual(before);
        const stored = devices.map((device) => device.stored().size);
        await server.start();
        await until(
          () => devices.every((device, i) => device.stored().size > stored[i]! + 20),
          'answers after the new start',
          60_000,
        );
      }
      const sent = await loading.end();
      for (const device of devices)
        expect(await storedOf(world, device), 'each reading once').toEqual(range(1, sent.get(device)!));
    },
  );

  it.each([
    ['deadlocks', '40P01'],
    ['has a full disk', '53100'],
    ['is a standby after a fail-over', '25006'],
    ['has no connection left', '53300'],
  ])('that %s refuses no reading: it is stored once when that is over', async (_, code) => {
    let isFailing = false;
    const wrap = (database: CloudDatabase): CloudDatabase => {
      const plugin: KyselyPlugin = {
        transformQuery: (args) => {
          if (isFailing && JSON.stringify(args.node).includes('insert into telemetry_data'))
            throw Object.assign(new Error(code), { code });
          return args.node;
        },
        transformResult: async (args) => args.result,
      };
      return { ...database, db: database.db.withPlugin(plugin) };
    };
    world = await liveWorld({ wrap });
    const device = await world.newDevice();
    await device.readings([device.reading(1)]);
    await until(() => device.stored().has(1), 'the first');
    isFailing = true;
    await device.readings([device.reading(2)]);
    await device.readings([device.reading(2), device.reading(3)]);
    await until(() => world!.ingest.buffered() === 3, 'the receipt');
    expect(device.acks).toHaveLength(1);
    isFailing = false;
    await until(() => device.acks.length === 3, 'the answers');
    expect(device.rejected()).toEqual([]);
    expect(await storedOf(world, device)).toEqual([1, 2, 3]);
  });
});

describe('NET-07 a process that dies between commit and acknowledgement', () => {
  it('leaves readings that are sent again, acknowledged by the next one, and stored once', async () => {
    let isDying = false;
    let committed = 0;
    const wrap = (database: CloudDatabase): CloudDatabase => {
      const inserts = new WeakSet<object>();
      const plugin: KyselyPlugin = {
        transformQuery: (args) => {
          if (JSON.stringify(args.node).includes('insert into telemetry_data')) inserts.add(args.queryId);
          return args.node;
        },
        async transformResult(args) {
          // Its transaction is committed; nothing it does afterwards is seen by anybody.
          if (isDying && inserts.has(args.queryId)) {
            committed += 1;
            await new Promise(() => undefined);
          }
          return args.result;
        },
      };
      return { ...database, db: database.db.withPlugin(plugin) };
    };
    world = await liveWorld({ wrap });
    const device = await world.newDevice();
    await device.readings([device.reading(1)]);
    await until(() => device.stored().has(1), 'the first');
    isDying = true;
    await device.readings([device.reading(2), device.reading(3)]);
    await until(() => committed === 1, 'the commit');
    await world.ingest.close(0);
    expect(await storedOf(world, device)).toEqual([1, 2, 3]);
    expect(device.stored()).toEqual(new Set([1]));
    isDying = false;
    await world.startIngest();
    await device.readings([device.reading(2), device.reading(3)]);
    await until(() => device.stored().size === 3, 'the answer of the next process');
    expect(await storedOf(world, device)).toEqual([1, 2, 3]);
    expect(device.rejected()).toEqual([]);
  });
});
