import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudApiError } from '../../src/ports/cloud-api.ts';
import type { NetworkChange } from '../../src/ports/network-changer.ts';
import { networkChangeFailSafe } from '../../src/provisioning/fail-safe.ts';
import { createNetworkChanger } from '../../src/provisioning/network-change.ts';
import { API_URL, type BootedDevice, createDeviceWorld, type DeviceWorld } from '../support/device-world.ts';

const never = new AbortController().signal;
const GREENHOUSE = { ssid: 'greenhouse', password: 'growgrowgrow' };
const proven = async () => undefined;

let world: DeviceWorld;
let device: BootedDevice;
beforeEach(async () => {
  world = await createDeviceWorld();
  device = world.boot();
  await device.wifi.beginTrial({ ssid: 'home' }, { rollbackAfterMs: 1_000, signal: never });
  await device.wifi.commitTrial();
});
afterEach(() => world.remove());

const changerOf = () => createNetworkChanger({ ...device, config: networkChangeFailSafe });

async function ssid(): Promise<string> {
  const file = readFileSync(`${world.stateDir}/wifi.json`, 'utf8');
  return (JSON.parse(file) as { current: { ssid: string } }).current.ssid;
}

/** Lets time pass until the change has ended. */
async function ended(change: Promise<NetworkChange>): Promise<NetworkChange> {
  let outcome: NetworkChange | undefined;
  void change.then((value) => {
    outcome = value;
  });
  while (outcome === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    if (device.jobs.active === 0) await device.clock.advance(1_000);
  }
  return outcome;
}

describe('a change of network', () => {
  it('is kept when the cloud answers and the session is back', async () => {
    const change = changerOf().change(GREENHOUSE, { apiUrl: API_URL, proven, signal: never });
    expect(await ended(change)).toEqual({ outcome: 'kept' });
    expect(await ssid()).toBe('greenhouse');
    expect(await device.wifi.inTrial()).toBe(false);
  });

  it('BLE-11 is undone when the cloud does not answer over it', async () => {
    world.api.fault = new CloudApiError('CONNECT', 'nobody there');
    const change = changerOf().change(GREENHOUSE, { apiUrl: API_URL, proven, signal: never });
    expect(await ended(change)).toMatchObject({ outcome: 'undone', code: 'CLOUD_UNREACHABLE' });
    expect(await ssid()).toBe('home');
  });

  it('BLE-11 is undone when the session does not come back, within four minutes', async () => {
    const begun = device.clock.monotonicMs();
    const silent = (signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    const change = changerOf().change(GREENHOUSE, { apiUrl: API_URL, proven: silent, signal: never });
    expect(await ended(change)).toMatchObject({ outcome: 'undone', code: 'TIMED_OUT' });
    expect(device.clock.monotonicMs() - begun).toBeLessThanOrEqual(240_000);
    expect(await ssid()).toBe('home');
  });

  it('is undone when it is called off', async () => {
    const abort = new AbortController();
    const change = changerOf().change(GREENHOUSE, {
      apiUrl: API_URL,
      proven: (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          abort.abort();
        }),
      signal: abort.signal,
    });
    expect(await ended(change)).toMatchObject({ outcome: 'undone' });
    expect(await ssid()).toBe('home');
  });

  it('happens one at a time', async () => {
    const changer = changerOf();
    const { promise, resolve } = Promise.withResolvers<void>();
    const options = { apiUrl: API_URL, signal: never };
    const first = changer.change(GREENHOUSE, { ...options, proven: () => promise });
    expect(changer.busy).toBe(true);
    expect(await changer.change({ ssid: 'visitors' }, options)).toEqual({ outcome: 'busy' });
    resolve();
    expect(await ended(first)).toEqual({ outcome: 'kept' });
    expect(await ssid()).toBe('greenhouse');
    expect(changer.busy).toBe(false);
  });

  it('that cannot be kept is left to its time limit, and says so', async () => {
    device.wifi.commitTrial = async () => {
      throw new Error('the disk is full');
    };
    const change = changerOf().change(GREENHOUSE, { apiUrl: API_URL, proven, signal: never });
    expect(await ended(change)).toEqual({ outcome: 'undone', code: 'INTERNAL', detail: 'the disk is full' });
  });
});
