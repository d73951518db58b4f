/**
 * PIR motion sensor.
 *
 * Part: HC-SR501 or AM312 on 5 V / 3.3 V; its output is 3.3 V.
 * Pins: one input, high while something moves.
 * Timing: the sensor needs a minute to settle after power-on and sees motion that it should not until then.
 * Units: `motion` is 1 if anything moved since the read before, else 0.
 * Failure modes: none that the line could show: a broken wire reads as "no motion".
 * Source: HC-SR501 datasheet, "warm-up time".
 */
import { defineDriver, z } from '@ares/hardware-drivers';

export default defineDriver({
  apiVersion: 1,
  type: 'motion',
  kind: 'sensor',
  summary: 'PIR motion sensor on one GPIO line',
  config: z.strictObject({ activeLow: z.withDefault(z.boolean(), false) }),
  pins: { line: { function: 'input' } },
  metrics: { motion: { unit: '1', min: 0, max: 1, stateKey: 'motion' } },
  sampleIntervalMs: 1_000,
  create: ({ pins, config, hardware }) => {
    /** @type {import('@ares/hardware-drivers').InputLine} */
    let line;
    let moved = false;
    return {
      start: async () => {
        line = await hardware.gpio.openInput(pins.line, { activeLow: config.activeLow });
        line.watch((on) => {
          moved ||= on;
        });
      },
      read: async () => {
        const motion = moved || (await line.read());
        moved = false;
        return [{ metric: 'motion', value: motion ? 1 : 0 }];
      },
      stop: () => line?.close(),
    };
  },
});
