import { setTimeout as wait } from 'node:timers/promises';
import { greenhouse } from '../../../cloud/src/phone/simulated-phone.ts';
import { startBenchCloud } from '../bench-cloud.ts';
import { createBundledPi } from '../bundled-pi.ts';
import type { Section } from '../report.ts';
import { percentile } from '../statistics.ts';

const COMMANDS = 500;
const WARM_UP = 20;

/** API → permission, signature, database → broker → device → verified line → result stored → API. */
export const commands: Section = async ({ home, profileDir, say }) => {
  const cloud = await startBenchCloud({ home, profileDir });
  try {
    const pi = await createBundledPi({ folder: `${home}/pi`, cloud });
    try {
      pi.startAgent();
      await pi.pair(cloud, { components: greenhouse });
      say('claimed; a LED is switched on and off');
      const params = { id: pi.deviceUuid };
      const once = async (i: number) => {
        const begin = performance.now();
        const answer = await cloud.owner.sendCommand({
          params,
          query: { wait: 5 },
          body: {
            componentType: 'led',
            action: i % 2 === 0 ? 'on' : 'off',
            args: i % 2 === 0 ? { durationMs: 60_000 } : {},
          },
        });
        const took = performance.now() - begin;
        if (!('status' in answer) || answer.status !== 'COMPLETED')
          throw new Error(`a command ended as ${JSON.stringify(answer)}`);
        return took;
      };
      // A LED rests for a moment after its driver was loaded.
      await wait(1_000);
      for (let i = 0; i < WARM_UP; i++) await once(i);
      const times: number[] = [];
      const plain: number[] = [];
      for (let i = 0; i < COMMANDS; i++) {
        times.push(await once(i));
        const begin = performance.now();
        await cloud.owner.state({ params });
        plain.push(performance.now() - begin);
      }
      const figure = (name: string, share: number) => ({
        name: `round trip ${name}`,
        value: percentile(times, share),
        unit: 'ms',
        baseline: { name: 'a plain request (GET state)', value: percentile(plain, share) },
      });
      return {
        figures: [figure('p50', 0.5), figure('p99', 0.99)],
        remarks: [
          `${COMMANDS} commands one after another, LED on and off, each answered COMPLETED by a bundled agent with the flags of the device (no compiler), slowest ${Math.max(...times).toFixed(0)} ms; a plain request after each.`,
        ],
      };
    } finally {
      await pi.stop();
    }
  } finally {
    await cloud.stop();
  }
};
