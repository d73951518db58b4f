import { type JobLoaders, openParentPipe, runJob } from './children/run-child.ts';
import type { BleChildInput } from './ports/child-jobs.ts';

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
  receipt: async () => (await cloudCalls()).receipt,
  inventory: async () => {
    const { readInventory } = await import('./adapters/systeminformation-inventory.ts');
    return async () => ({ inventory: await readInventory() });
  },
};

/** Composition root of a child: everything that the resident process must not load is built here. */
export async function runChild(job: string): Promise<void> {
  const pipe = openParentPipe();
  if (job === 'ble') {
    const { runBleChild } = await import('./children/ble-child.ts');
    const { createSimulatedBlePeripheral } = await import('./adapters/simulated-ble-peripheral.ts');
    const input = (await pipe.input) as BleChildInput;
    const { createSystemClock } = await import('./adapters/system-clock.ts');
    const peripheral = createSimulatedBlePeripheral(input);
    await runBleChild({ pipe, input, peripheral, clock: createSystemClock() });
  } else {
    await runJob(job, loaders, pipe);
  }
  // Sockets and timers of libraries must not keep a child whose work is done.
  process.exitCode = 0;
  process.stdin.destroy();
}
