import type { DriversChildInput } from './children/drivers-child.ts';
import { type JobLoaders, openParentPipe, runJob } from './children/run-child.ts';
import type { BlePeripheral } from './ports/ble-peripheral.ts';
import type { BleChildInput } from './ports/child-jobs.ts';
import type { Clock } from './ports/clock.ts';

const EXIT_AFTER_MS = 300;

async function cloudCalls() {
  const { createCloudCalls } = await import('./children/jobs/cloud-calls.ts');
  const { createUndiciCloudApi } = await import('./adapters/undici-cloud-api.ts');
  return createCloudCalls({ connect: createUndiciCloudApi });
}

const loaders: JobLoaders = {
  csr: async () => (await import('./children/jobs/csr.ts')).csr,
  reach: async () => (await cloudCalls()).reach,
  credentials: async () => (await cloudCalls()).credentials,
  standing: async () => (await cloudCalls()).standing,
  components: async () => (await cloudCalls()).components,
  time: async () => (await cloudCalls()).time,
  receipt: async () => (await cloudCalls()).receipt,
  inventory: async () => {
    const { readInventory } = await import('./adapters/systeminformation-inventory.ts');
    return async () => ({ inventory: await readInventory() });
  },
};

/** Composition root of a child: everything that the resident process must not load is built here. */
export async function runChild(job: string): Promise<void> {
  if (job === 'drivers') return await runDrivers();
  const pipe = openParentPipe();
  if (job === 'ble') {
    const { runBleChild } = await import('./children/ble-child.ts');
    const { createSystemClock } = await import('./adapters/system-clock.ts');
    const clock = createSystemClock();
    const input = (await pipe.input) as BleChildInput;
    await runBleChild({ pipe, input, peripheral: await openPeripheral(input, clock), clock });
  } else {
    await runJob(job, loaders, pipe);
  }
  process.exitCode = 0;
  process.stdin.destroy();
  // Sockets and timers of libraries must not keep a child whose work is done.
  setTimeout(() => process.exit(), EXIT_AFTER_MS).unref();
}

/** Stays until the agent has gone. */
async function runDrivers(): Promise<void> {
  const { openAgentPipe } = await import('./children/agent-pipe.ts');
  const { runDriversChild } = await import('./children/drivers-child.ts');
  const pipe = openAgentPipe(3);
  // A driver by others imports the SDK by name; the bundle has no package of that name to be found.
  const sdk = await import('@ares/hardware-drivers');
  sdk.supplySdk(sdk);
  runDriversChild({ pipe, input: (await pipe.input) as DriversChildInput });
}

async function openPeripheral({ radio, deviceUuid }: BleChildInput, clock: Clock): Promise<BlePeripheral> {
  if (radio.kind === 'simulated') {
    const { createSimulatedBlePeripheral } = await import('./adapters/simulated-ble-peripheral.ts');
    return createSimulatedBlePeripheral(radio);
  }
  const { createBlenoPeripheral } = await import('./adapters/bleno-peripheral.ts');
  const { advertisedName } = await import('./adapters/bluetooth/advertisement.ts');
  const { chooseAdapter, hasAdapter } = await import('./adapters/bluetooth/choose-adapter.ts');
  const { loadAbandonwareBleno, loadStoprocentBleno } = await import('./adapters/bluetooth/load-bleno.ts');
  const { unblockBluetooth } = await import('./adapters/bluetooth/rfkill.ts');
  return createBlenoPeripheral({
    load: radio.library === 'stoprocent' ? loadStoprocentBleno : loadAbandonwareBleno,
    name: advertisedName(deviceUuid),
    clock,
    prepare() {
      unblockBluetooth();
      return chooseAdapter(radio.channel);
    },
    present: ({ index }) => hasAdapter(index),
  });
}
