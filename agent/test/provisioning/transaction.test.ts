import { PROVISIONING_STEPS as wireSteps } from '@ares/protocol/ble';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CloudApiError } from '../../src/ports/cloud-api.ts';
import { WifiError } from '../../src/ports/wifi.ts';
import { PROVISIONING_STEPS } from '../../src/provisioning/steps.ts';
import { runProvisioning } from '../../src/provisioning/transaction.ts';
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
let world: DeviceWorld;

beforeEach(async () => {
  disk.operations = 0;
  disk.dieAt = Number.POSITIVE_INFINITY;
  world = await createDeviceWorld();
});
afterEach(() => {
  disk.dieAt = Number.POSITIVE_INFINITY;
  world.remove();
});

const HOME = { ssid: 'home', password: 'the old password' };
const GREENHOUSE = { ssid: 'greenhouse', password: 'growgrowgrow' };

/** Stands for a request without `wifi`. */
const KEEP = { ssid: '' };

/** A device that has a network already, as after a Wi-Fi set by an earlier owner's installer. */
async function bootOnHomeWifi(): Promise<BootedDevice> {
  const device = world.boot();
  await device.wifi.beginTrial(HOME, { rollbackAfterMs: 1_000, signal: never });
  await device.wifi.commitTrial();
  return device;
}

function begin(device: BootedDevice, wifi: { ssid: string; password?: string } = GREENHOUSE): void {
  device.journal.save({
    v: 1,
    ...(wifi !== KEEP && { wifi }),
    apiUrl: API_URL,
    claim: world.api.claim(),
    phoneTime: Date.now(),
    step: 'wifi',
    spentMs: 0,
  });
}

/** Drives the fake clock until the transaction has ended. */
async function finish(device: BootedDevice, signal = never) {
  let outcome: Awaited<ReturnType<typeof runProvisioning>> | undefined;
  let failure: unknown;
  const running = runProvisioning(device, signal).then(
    (value) => {
      outcome = value;
    },
    (cause: unknown) => {
      failure = cause;
    },
  );
  // As long as it takes: a count of turns would run out while a busy machine makes a key.
  for (let turn = 0; outcome === undefined && failure === undefined; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (turn % 5 === 4 && device.jobs.active === 0) await device.clock.advance(1_000);
  }
  if (failure !== undefined) throw failure;
  await running;
  return outcome!;
}

const ssid = async () => {
  const { readFileSync } = await import('node:fs');
  return (JSON.parse(readFileSync(`${world.stateDir}/wifi.json`, 'utf8')) as { current: { ssid: string } })
    .current.ssid;
};

/** Claimable as before: the old network, no credentials, nothing under way. */
async function expectUntouched(device: BootedDevice): Promise<void> {
  expect(device.credentials.load().kind).toBe('none');
  expect(device.credentials.loadPending().kind).toBe('none');
  expect(device.journal.load()).toBeUndefined();
  expect(await device.wifi.inTrial()).toBe(false);
  expect(await ssid()).toBe('home');
}

describe('when everything works', () => {
  it('ends with one certificate, the new network and nothing left under way', async () => {
    const device = await bootOnHomeWifi();
    begin(device);
    expect(await finish(device)).toMatchObject({ kind: 'provisioned' });
    expect(device.credentials.load()).toMatchObject({ kind: 'found', value: { apiUrl: API_URL } });
    expect(device.credentials.loadPending().kind).toBe('none');
    expect(device.journal.load()).toBeUndefined();
    expect(await device.wifi.inTrial()).toBe(false);
    expect(await ssid()).toBe('greenhouse');
    expect(world.api.issued.size).toBe(1);
    expect(device.progress.reports().map(({ result }) => result)).toEqual(wireSteps.map(() => 'ok'));
  });

  it('a device that keeps its network is provisioned over it and joins nothing', async () => {
    const device = await bootOnHomeWifi();
    begin(device, KEEP);
    const joined = vi.spyOn(device.wifi, 'beginTrial');
    expect(await finish(device)).toMatchObject({ kind: 'provisioned' });
    expect(joined).not.toHaveBeenCalled();
    expect(await ssid()).toBe('home');
    expect(device.progress.reports().map(({ result }) => result)).toEqual(wireSteps.map(() => 'ok'));
  });

  it('names the steps as the Bluetooth conversation does', () => {
    expect(PROVISIONING_STEPS).toEqual(wireSteps);
  });
});

describe('when a step fails', () => {
  it.each([
    ['the network is not there', { ssid: 'nowhere' }, 'wifi', 'WIFI_NOT_FOUND'],
    [
      'the password is wrong',
      { ssid: 'greenhouse', password: 'wrong password' },
      'wifi',
      'WIFI_WRONG_PASSWORD',
    ],
    ['the network gives no address', { ssid: 'no-address' }, 'address', 'ADDRESS_TIMEOUT'],
  ] as const)('BLE-11 %s: says so and is as before', async (_name, wifi, step, code) => {
    const device = await bootOnHomeWifi();
    begin(device, wifi);
    expect(await finish(device)).toMatchObject({ kind: 'failed', step, error: { code } });
    await expectUntouched(device);
    expect(device.progress.reports().find((report) => report.result === 'failed')).toMatchObject({
      step,
      code,
    });
  });

  it.each([
    ['DNS', 'dns', 'DNS_FAILED'],
    ['TLS', 'tls', 'TLS_FAILED'],
    ['CLOCK', 'tls', 'CLOCK_UNTRUSTED'],
    ['CONNECT', 'tls', 'CLOUD_UNREACHABLE'],
  ] as const)('BLE-11 the cloud fails with %s: says %s %s and is as before', async (fault, step, code) => {
    const device = await bootOnHomeWifi();
    begin(device);
    world.api.fault = new CloudApiError(fault, 'out of order');
    expect(await finish(device)).toMatchObject({ kind: 'failed', step, error: { code } });
    await expectUntouched(device);
  });

  it('BLE-11 a device that keeps its network has no address: says so and is as before', async () => {
    const device = await bootOnHomeWifi();
    begin(device, KEEP);
    device.wifi.waitForAddress = async () => {
      throw new WifiError('ADDRESS_TIMEOUT', 'no cable');
    };
    const error = { code: 'ADDRESS_TIMEOUT' };
    expect(await finish(device)).toMatchObject({ kind: 'failed', step: 'address', error });
    await expectUntouched(device);
  });

  it('BLE-11 waits for the clock to be set rather than give up, and then goes on', async () => {
    const device = await bootOnHomeWifi();
    begin(device);
    world.api.fault = new CloudApiError('CLOCK', 'certificate not valid yet');
    device.clock.after(90_000, () => {
      world.api.fault = undefined;
    });
    expect(await finish(device)).toMatchObject({ kind: 'provisioned' });
  });

  it('CLM-04 an expired claim is named', async () => {
    const device = await bootOnHomeWifi();
    begin(device);
    const { connect } = world.api;
    world.api.connect = () => ({
      ...connect(),
      credentials: async () => {
        throw new CloudApiError('REFUSED', 'expired', { problem: 'CLAIM_EXPIRED' });
      },
    });
    expect(await finish(device)).toMatchObject({
      kind: 'failed',
      step: 'claim',
      error: { code: 'CLAIM_EXPIRED' },
    });
    await expectUntouched(device);
  });

  it('BLE-11 a first reading that never arrives ends after 120 s, with the session stopped', async () => {
    const device = await bootOnHomeWifi();
    begin(device);
    const stopped = vi.fn(async () => undefined);
    const startSession = () => ({
      proven: (signal: AbortSignal) =>
        new Promise<void>((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        ),
      stop: stopped,
    });
    const begunAt = device.clock.monotonicMs();
    expect(await finish({ ...device, startSession })).toMatchObject({
      kind: 'failed',
      step: 'first-reading',
      error: { code: 'TIMED_OUT' },
    });
    expect(stopped).toHaveBeenCalledOnce();
    expect(device.clock.monotonicMs() - begunAt).toBeLessThanOrEqual(125_000);
    await expectUntouched(device);
  });

  it('CLM-16 an answer that is lost is fetched again: one certificate', async () => {
    const device = await bootOnHomeWifi();
    begin(device);
    world.api.loseNextAnswer = true;
    expect(await finish(device)).toMatchObject({ kind: 'provisioned' });
    expect(world.api.requests).toHaveLength(2);
    expect(world.api.requests[0]?.csr).toBe(world.api.requests[1]?.csr);
    expect(world.api.issued.size).toBe(1);
  });

  it('refuses a certificate for another device', async () => {
    const device = await bootOnHomeWifi();
    begin(device);
    const sign = world.api.authority.sign.bind(world.api.authority);
    Object.assign(world.api.authority, { sign: (csr: Uint8Array) => sign(csr, 'another-device') });
    expect(await finish(device)).toMatchObject({ kind: 'failed', error: { code: 'CERTIFICATE_FAILED' } });
    await expectUntouched(device);
  });
});

describe('when the device is switched off at the n-th durable operation', () => {
  it('FSP-01 BLE-11 is claimable on the old network or provisioned on the new one, never between', async () => {
    const outcomes = new Set<string>();
    let operations = 1;
    for (let n = 0; n < operations; n += 1) {
      world.remove();
      world = await createDeviceWorld();
      const device = await bootOnHomeWifi();
      begin(device);
      disk.operations = 0;
      disk.dieAt = n;
      const stop = new AbortController();
      // What a dead process still "does" must reach neither disk nor cloud.
      const dying = { ...device, startSession: device.startSession };
      const dead = finish(dying, stop.signal).catch(() => undefined);
      while (disk.operations <= n && (await settled(dead)) === false) await turn(device);
      device.jobs.dead = true;
      await dead;
      if (disk.operations > n) operations = n + 2;

      disk.dieAt = Number.POSITIVE_INFINITY;
      const rebooted = world.boot();
      const outcome =
        rebooted.journal.load() === undefined && rebooted.credentials.load().kind === 'found'
          ? { kind: 'provisioned' }
          : await finish(rebooted);
      outcomes.add(outcome.kind);
      if (outcome.kind === 'provisioned') {
        expect(rebooted.credentials.load().kind, `after operation ${n}`).toBe('found');
        expect(await ssid(), `after operation ${n}`).toBe('greenhouse');
        expect(await rebooted.wifi.inTrial()).toBe(false);
        expect(rebooted.credentials.loadPending().kind).toBe('none');
        expect(world.api.issued.size, `after operation ${n}`).toBe(1);
      } else {
        await expectUntouched(rebooted);
      }
    }
    expect(operations).toBeGreaterThan(12);
    expect(outcomes).toEqual(new Set(['failed', 'provisioned']));
  });
});

async function turn(device: BootedDevice): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await device.clock.advance(0);
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  const mark = {};
  return (
    (await Promise.race([promise, new Promise((resolve) => setImmediate(() => resolve(mark)))])) !== mark
  );
}
