import { setTimeout as wait } from 'node:timers/promises';
import { greenhouse } from '../../cloud/src/phone/simulated-phone.ts';
import type { BenchCloud } from './bench-cloud.ts';
import { createBundledPi } from './bundled-pi.ts';

const WARM_UP = 20;

/** A claimed device whose LED is switched; answers are in ms. */
export interface Commander {
  /** Switches the LED on or off, from the call of the API to the result. @throws when it is not COMPLETED */
  command(on: boolean): Promise<number>;
  /** A request that nobody but the API has a part in. */
  plainRequest(): Promise<number>;
  stop(): Promise<void>;
}

/** Claims a device of the bundled agent, and warms everything up. */
export async function startCommander(cloud: BenchCloud, folder: string): Promise<Commander> {
  const pi = await createBundledPi({ folder, cloud });
  const params = { id: pi.deviceUuid };
  const commander: Commander = {
    async command(on) {
      const begin = performance.now();
      const answer = await cloud.owner.sendCommand({
        params,
        query: { wait: 5 },
        body: { componentType: 'led', action: on ? 'on' : 'off', args: on ? { durationMs: 60_000 } : {} },
      });
      const took = performance.now() - begin;
      if (!('status' in answer) || answer.status !== 'COMPLETED')
        throw new Error(`a command ended as ${JSON.stringify(answer)}`);
      return took;
    },
    async plainRequest() {
      const begin = performance.now();
      await cloud.owner.state({ params });
      return performance.now() - begin;
    },
    stop: () => pi.stop(),
  };
  try {
    pi.startAgent();
    await pi.pair(cloud, { components: greenhouse });
    // A LED rests for a moment after its driver was loaded.
    await wait(1_000);
    for (let i = 0; i < WARM_UP; i += 1) await commander.command(i % 2 === 0);
    return commander;
  } catch (error) {
    await pi.stop();
    throw error;
  }
}
