/**
 * LED, or anything that is harmless when left on.
 *
 * Part: LED with series resistor (330 Ω for 3.3 V), or an indicator on a relay board.
 * Pins: one output; `activeLow` for boards that are on at the low level.
 * Timing: none. Units: `state` is 0 or 1, read back from the line.
 * Safe state: off. Longest run: 24 h, so that a forgotten LED ends too.
 * Failure modes: OUTPUT_STUCK (something else drives the line); a broken LED is not seen.
 * Source: Raspberry Pi GPIO pads, 16 mA at most per line (RP-008373-DS, "GPIO electrical specification").
 */
import { defineDriver } from '../define-driver.ts';
import { SwitchedOutput } from '../gpio/switched-output.ts';
import { z } from '../schema.ts';

const dayMs = 86_400_000;

export const driver = defineDriver({
  apiVersion: 1,
  type: 'led',
  kind: 'actuator',
  summary: 'LED on one GPIO line',
  config: z.strictObject({ activeLow: z.withDefault(z.boolean(), false) }),
  pins: { line: { function: 'output', activeLow: ({ activeLow }) => activeLow } },
  metrics: { state: { unit: '1', min: 0, max: 1, stateKey: 'led' } },
  sampleIntervalMs: 60_000,
  actions: {
    on: {
      summary: 'Switch it on, for a day unless durationMs says less',
      args: z.strictObject({ durationMs: z.withDefault(z.int().check(z.gte(1)), dayMs) }),
      longestRunMs: dayMs,
    },
  },
  create: ({ pins, config, hardware }) => {
    const output = new SwitchedOutput({
      what: 'LED',
      gpio: hardware.gpio,
      bcm: pins.line,
      activeLow: config.activeLow,
    });
    return {
      start: () => output.open(),
      run: { on: () => output.set(true) },
      off: () => output.set(false),
      read: async () => [{ metric: 'state', value: (await output.isOn()) ? 1 : 0 }],
      stop: () => output.close(),
    };
  },
});
