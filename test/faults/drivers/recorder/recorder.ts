/**
 * An actuator that writes down each time it acts, durably, before it answers. For fault runs only: what stands in the
 * file has happened, however often the agent is killed.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { defineDriver, type OutputLine, z } from '@ares/hardware-drivers';

export default defineDriver({
  apiVersion: 1,
  type: 'recorder',
  kind: 'actuator',
  summary: 'Writes down each run',
  config: z.strictObject({ file: z.string() }),
  pins: { line: { function: 'output' } },
  metrics: { state: { unit: '1', min: 0, max: 1, stateKey: 'recorder' } },
  sampleIntervalMs: 60_000,
  actions: {
    mark: {
      summary: 'Append the number and the time',
      args: z.strictObject({ n: z.int(), durationMs: z.int() }),
      longestRunMs: 60_000,
    },
  },
  create: ({ config, pins, hardware }) => {
    let line: OutputLine | undefined;
    return {
      start: async () => {
        line = await hardware.gpio.openOutput(pins.line);
      },
      run: {
        mark: async ({ n }: { n: number }) => {
          const file = openSync(config.file, 'a');
          writeSync(file, `${n} ${Date.now()}\n`);
          fsyncSync(file);
          closeSync(file);
          await line?.write(true);
        },
      },
      off: () => line?.write(false),
      read: async () => [{ metric: 'state', value: (await line?.read()) === true ? 1 : 0 }],
      stop: () => line?.close(),
    };
  },
});
