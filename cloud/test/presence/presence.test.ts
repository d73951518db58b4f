import { afterEach, expect, it } from 'vitest';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { type LiveDevice, type LiveWorld, liveWorld, newBoot } from '../support/live-world.ts';
import { until } from '../support/quiet.ts';

let world: LiveWorld;
afterEach(async () => {
  await world?.close();
});

const presenceOf = async (device: LiveDevice) =>
  (await world.state.document(device.deviceUuid))?.device_status;

it('takes a birth, which is said once, when the database answers again', async () => {
  let refusals = 0;
  world = await liveWorld({
    wrap: (database) => ({ ...database, db: failing(database, () => refusals++ < 1) }),
  });
  const device = await world.newDevice();
  await device.birth();
  await until(async () => (await presenceOf(device)) === 'ONLINE', 'the birth');
  expect(refusals).toBeGreaterThan(1);
});

it('flags a repeated boot count also when its birth had to be tried again', async () => {
  let refusals = 0;
  let isFailing = false;
  world = await liveWorld({
    wrap: (database) => ({
      ...database,
      db: failing(database, () => isFailing && refusals++ < 1),
    }),
  });
  const device = await world.newDevice();
  await device.birth(newBoot(7));
  await until(async () => (await presenceOf(device)) === 'ONLINE', 'the first birth');
  isFailing = true;
  const restored = newBoot(7);
  await device.birth(restored);
  await until(async () => {
    await world.security.flush();
    const events = await world.database.db.selectFrom('security_events').select('code').execute();
    return events.some(({ code }) => code === 'BOOT_COUNT_REPEATED');
  }, 'the flag');
});

it('ignores the birth of a boot after which another one named itself, whatever clock it claims', async () => {
  world = await liveWorld();
  const device = await world.newDevice();
  const [before, running] = [newBoot(1), newBoot(2)];
  const first = '00000000-0000-4000-8000-000000000001';
  const second = '00000000-0000-4000-8000-000000000002';
  await device.birth({ ...before, connectionId: first, sentAt: null });
  await until(async () => (await presenceOf(device)) === 'ONLINE', 'the first birth');
  await device.birth({ ...running, connectionId: second });
  await until(() => device.acks.some(({ bootId }) => bootId === running.bootId), 'the second birth');
  // The same bytes again, as a broker could keep them.
  await device.birth({ ...before, connectionId: first, sentAt: null });
  await device.will({ ...before, connectionId: first });
  await device.readings([device.reading(1)], running);
  await until(() => device.stored().has(1), 'the reading after the will');
  expect(await presenceOf(device)).toBe('ONLINE');
  await device.will({ ...running, connectionId: second });
  await until(async () => (await presenceOf(device)) === 'OFFLINE', 'the will of the running boot');
});

/** Updates of the ingest fail as often as `refuses` says so. */
function failing({ db }: CloudDatabase, refuses: () => boolean): CloudDatabase['db'] {
  return new Proxy(db, {
    get(target, key) {
      if (key === 'updateTable' && refuses()) throw new Error('the database is away');
      const value = Reflect.get(target, key) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
