import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createDevice } from '../../src/lifecycle/device.ts';
import { createLifecycleStore } from '../../src/lifecycle/lifecycle-store.ts';
import { createSessionHolder } from '../../src/lifecycle/session-holder.ts';
import type { OperatingSession } from '../../src/operate/types.ts';
import type { FromBleChild } from '../../src/ports/ble-child.ts';
import { CloudApiError } from '../../src/ports/cloud-api.ts';
import { defaultFailSafe } from '../../src/provisioning/fail-safe.ts';
import { createNetworkChanger } from '../../src/provisioning/network-change.ts';
import { openDeviceStore } from '../../src/store/device-store.ts';
import { API_URL, createDeviceWorld, type DeviceWorld } from '../support/device-world.ts';

let world: DeviceWorld;
const ends: (() => Promise<void> | void)[] = [];
beforeEach(async () => {
  world = await createDeviceWorld();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  world.remove();
});

/** A claimed device that runs, with a phone that says what it wants over a radio of this process. */
async function operating() {
  const booted = world.boot();
  const claim = { grant: 'claim', apiUrl: API_URL, claim: world.api.claim() } as const;
  booted.credentials.adopt(await booted.issuer.obtain(claim, new AbortController().signal));
  const store = openDeviceStore({ dir: world.stateDir, logger: booted.logger, clock: booted.clock });
  ends.push(() => store.close());
  const lifecycle = createLifecycleStore(join(world.stateDir, 'lifecycle.json'), () => 'OPERATING');
  const cloud = { apiUrl: API_URL, assignment: 1 };
  lifecycle.save({ v: 1, state: 'OPERATING', since: 0, why: 'It works.', cloud });
  const session = {
    start: () => undefined,
    stop: async () => undefined,
    on: () => () => undefined,
    connection: () => ({ state: 'connected' }),
    status: () => {
      throw Object.assign(new Error('disk I/O error'), { errcode: 10 });
    },
  } as unknown as OperatingSession;
  const radio = Promise.withResolvers<(message: FromBleChild) => void>();
  booted.jobs.openBle = () => {
    const closed = Promise.withResolvers<undefined>();
    return {
      send: (message) => {
        if ((message as { type?: string }).type === 'finish') closed.resolve(undefined);
      },
      onMessage: (listener) => radio.resolve(listener),
      closed: closed.promise,
      close: async () => closed.resolve(undefined),
    };
  };
  const device = createDevice({
    ...booted,
    lifecycle,
    store,
    networkChanger: createNetworkChanger({ ...booted, config: defaultFailSafe }),
    holder: createSessionHolder({ clock: booted.clock, create: () => session }),
    random: () => 0,
    config: {
      agentVersion: '0.0.0',
      radio: { kind: 'simulated', socketPath: '' },
      failSafe: defaultFailSafe,
    },
  });
  return { booted, device, lifecycle, radio };
}

function run(device: ReturnType<typeof createDevice>): void {
  const done = device.run();
  ends.push(async () => {
    await device.stop();
    await done;
  });
}

it('a recovery that a phone began before a reset brings nothing of the owner back after it', async () => {
  const { booted, device, lifecycle, radio } = await operating();
  run(device);
  device.openBluetooth();
  const phone = await radio.promise;
  const mayAnswer = Promise.withResolvers<void>();
  const isAsked = Promise.withResolvers<void>();
  const answer = booted.jobs.run.bind(booted.jobs);
  booted.jobs.run = async (job, input, options) => {
    if (job === 'credentials') {
      isAsked.resolve();
      const aborted = new Promise<never>((_resolve, reject) =>
        options.signal.addEventListener('abort', () => reject(new CloudApiError('ABORTED', 'given up'))),
      );
      await Promise.race([mayAnswer.promise, aborted]);
    }
    return await answer(job, input, options);
  };
  world.api.standing = 'RECOVERY_NEEDED';
  phone({
    type: 'request',
    id: 1,
    request: {
      type: 'recover',
      apiUrl: API_URL,
      phoneTime: booted.clock.now(),
      token: world.api.recoveryToken(),
    },
  });
  await isAsked.promise;
  await device.reset('button');
  await vi.waitFor(() => expect(lifecycle.load()?.state).toBe('UNPROVISIONED'));
  mayAnswer.resolve();
  for (let turn = 0; turn < 60 || booted.jobs.active > 0; turn += 1)
    await new Promise((r) => setImmediate(r));
  expect(booted.credentials.load().kind).toBe('none');
  expect(booted.credentials.loadPending().kind).toBe('none');
});

it('forgets what it decided to forget, whatever state the step that decided it has left', async () => {
  const { booted, device, lifecycle } = await operating();
  booted.marker.save({ cause: 'order', orderId: null, cloud: { apiUrl: API_URL, assignment: 1 } });
  run(device);
  await vi.waitFor(() => expect(lifecycle.load()?.state).toBe('UNPROVISIONED'));
  expect(booted.credentials.load().kind).toBe('none');
});

it('says its state in a line also when its disk cannot be read any more: a timer asks for it', async () => {
  const { device } = await operating();
  run(device);
  await vi.waitFor(() => expect(device.summary()).toBe('OPERATING, connected'));
});
