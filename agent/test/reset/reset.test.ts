import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CloudApiError } from '../../src/ports/cloud-api.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { RECEIPT_LIMIT_MS, runReset } from '../../src/reset/reset.ts';
import { openDeviceStore } from '../../src/store/device-store.ts';
import { readFileIfThere } from '../../src/store/durable-file.ts';
import { API_URL, type BootedDevice, createDeviceWorld, type DeviceWorld } from '../support/device-world.ts';

const disk = vi.hoisted(() => ({ operations: 0, dieAt: Number.POSITIVE_INFINITY }));

// The disk of a device that is switched off at its n-th durable operation: none after that one happens.
vi.mock('../../src/store/durable-file.ts', async (load) => {
  const real = await load<typeof import('../../src/store/durable-file.ts')>();
  const counted =
    <A extends unknown[], R>(run: (...args: A) => R) =>
    (...args: A): R => {
      disk.operations += 1;
      if (disk.operations > disk.dieAt) throw new Error('switched off');
      return run(...args);
    };
  return {
    ...real,
    writeDurableFile: counted(real.writeDurableFile),
    removeDurableFile: counted(real.removeDurableFile),
  };
});

const never = new AbortController().signal;
const ORDER_ID = '3f0f5c1e-6c52-4d0a-9d55-0a4d6ffb2d0e';
let world: DeviceWorld;

beforeEach(async () => {
  disk.dieAt = Number.POSITIVE_INFINITY;
  world = await createDeviceWorld();
});
afterEach(() => {
  disk.dieAt = Number.POSITIVE_INFINITY;
  world.remove();
});

/** A device at work: credentials, an outbox with a reading, a network, and an order to forget it all. */
async function claimed(): Promise<BootedDevice & { readonly bootCount: number }> {
  const device = world.boot();
  const answered = await device.issuer.obtain(
    { grant: 'claim', apiUrl: API_URL, claim: world.api.claim() },
    never,
  );
  device.credentials.adopt(answered);
  await device.wifi.beginTrial(
    { ssid: 'home', password: 'password1' },
    { rollbackAfterMs: 1_000, signal: never },
  );
  await device.wifi.commitTrial();
  const store = openStore(device);
  const outbox = store.openOutbox(1);
  const bootCount = store.counters.startBoot({ floor: 6 });
  outbox.beginBoot({ bootId: 'b'.repeat(32), bootCount });
  store.close();
  device.marker.save({ cause: 'order', orderId: ORDER_ID, cloud: { apiUrl: API_URL, assignment: 1 } });
  return { ...device, bootCount };
}

function openStore(device: BootedDevice) {
  return openDeviceStore({ dir: world.stateDir, logger: silentLogger, clock: device.clock });
}

async function reset(device: BootedDevice): Promise<void> {
  const store = openStore(device);
  try {
    await runReset({ ...device, store }, never);
  } finally {
    store.close();
  }
}

function expectForgotten(device: BootedDevice): void {
  const file = (name: string) => join(world.stateDir, name);
  for (const name of [
    'credentials.json',
    'pending-credentials.json',
    'provisioning.json',
    'reset.json',
    'wifi.json',
    'outbox.db',
    'outbox.db-wal',
  ]) {
    expect(existsSync(file(name)), name).toBe(false);
  }
  const { local } = device;
  const after = world.boot().local;
  expect(after.identity.deviceUuid).toBe(local.identity.deviceUuid);
  expect(after.identityKeyHash).toBe(local.identityKeyHash);
  expect(after.setupCodeHex).toBe(local.setupCodeHex);
}

describe('a factory reset', () => {
  it('forgets the owner, keeps the device and its counters, and sends a signed receipt before the network goes', async () => {
    const device = await claimed();
    await reset(device);
    expectForgotten(device);
    expect(world.api.receipts).toEqual([{ assignment: 1, orderId: ORDER_ID }]);
    const store = openStore(device);
    expect(store.counters.startBoot({ floor: 0 })).toBeGreaterThan(device.bootCount);
    store.close();
  });

  it('FSP-08 finishes after being switched off at any durable operation', async () => {
    let total = 1;
    for (let n = 0; n < total; n += 1) {
      world.remove();
      world = await createDeviceWorld();
      const device = await claimed();
      disk.operations = 0;
      disk.dieAt = n;
      await reset(device).catch(() => undefined);
      if (disk.operations > n) total = n + 2;
      disk.dieAt = Number.POSITIVE_INFINITY;
      const rebooted = world.boot();
      if (rebooted.marker.load() !== undefined) await reset(rebooted);
      expectForgotten(device);
      expect(world.api.receipts.length, `after operation ${n}`).toBeGreaterThanOrEqual(1);
    }
    expect(total).toBeGreaterThanOrEqual(6);
  });

  it('FSP-08 gives the receipt up after 60 s without a network, and finishes', async () => {
    const device = await claimed();
    world.api.fault = new CloudApiError('CONNECT', 'no network');
    const begunAt = device.clock.monotonicMs();
    let done = false;
    const running = reset(device).then(() => {
      done = true;
    });
    while (!done) {
      await new Promise((resolve) => setImmediate(resolve));
      if (device.jobs.active === 0) await device.clock.advance(500);
    }
    await running;
    expect(device.clock.monotonicMs() - begunAt).toBeLessThanOrEqual(RECEIPT_LIMIT_MS + 3_000);
    expectForgotten(device);
  });

  it('FSP-08 a marker that cannot be read still means that the device was to be wiped', async () => {
    const device = await claimed();
    const { writeFileSync } = await import('node:fs');
    writeFileSync(device.paths.reset, '{"v":1,"cau');
    await reset(device);
    expectForgotten(device);
    expect(readFileIfThere(device.paths.trust)).toBeUndefined();
  });
});
