/**
 * An actuator that has always changed its state, and so reports at once: messages of random length, for the memory
 * run only. In plain JavaScript, as a published driver is. Units: none. Failure modes: none.
 */
import { defineDriver, z } from '@ares/hardware-drivers';

/** As many as a component type may have, with names as long as they may be. */
const names = Array.from({ length: 64 }, (_, i) => `m${i}_`.padEnd(40, 'x'));

export default defineDriver({
  apiVersion: 1,
  type: 'chatter',
  kind: 'actuator',
  summary: 'Random numbers of random values',
  config: z.strictObject({
    /** Most values at a time; the number is random from 1. */
    most: z.int().check(z.gte(1), z.lte(400)),
    /** Of so many samples one is silent. */
    silentEvery: z.int().check(z.gte(2)),
  }),
  pins: { line: { function: 'output' } },
  metrics: Object.fromEntries(
    names.map((name, i) => [name, { unit: '1', min: 0, max: 1, stateKey: `chatter_${i}` }]),
  ),
  sampleIntervalMs: 200,
  actions: { on: { summary: 'Nothing', args: z.strictObject({ durationMs: z.int() }), longestRunMs: 1_000 } },
  create: ({ config, pins, hardware }) => {
    let line;
    return {
      start: async () => {
        line = await hardware.gpio.openOutput(pins.line);
      },
      run: { on: () => line.write(true) },
      off: () => line?.write(false),
      read: async () => {
        if (Math.random() < 1 / config.silentEvery) return [];
        const count = 1 + Math.floor(Math.random() * config.most);
        return Array.from({ length: count }, (_, i) => ({ metric: names[i % 64], value: Math.random() }));
      },
      stop: () => line?.close(),
    };
  },
});
