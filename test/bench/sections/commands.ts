import { startBenchCloud } from '../bench-cloud.ts';
import { startCommander } from '../commander.ts';
import type { Section } from '../report.ts';
import { percentile } from '../statistics.ts';

const COMMANDS = 500;

/** API → permission, signature, database → broker → device → verified line → result stored → API. */
export const commands: Section = async ({ home, profileDir, say }) => {
  await using stack = new AsyncDisposableStack();
  const cloud = await startBenchCloud({ home, profileDir });
  stack.defer(() => cloud.stop());
  const commander = await startCommander(cloud, `${home}/pi`);
  stack.defer(() => commander.stop());
  say('claimed; a LED is switched on and off');
  const times: number[] = [];
  const plain: number[] = [];
  for (let i = 0; i < COMMANDS; i++) {
    times.push(await commander.command(i % 2 === 0));
    plain.push(await commander.plainRequest());
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
};
