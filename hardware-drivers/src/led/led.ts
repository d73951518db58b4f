/**
 * LED, or anything that is harmless when left on.
 *
 * Part: LED with series resistor (330 Ω for 3.3 V), or an indicator on a relay board.
 * Pins: one output; `activeLow` for boards that are on at the low level. With `pwm` the line's pulse generator drives
 *   it (BCM 12, 13, 18 or 19, put there by dtoverlay=pwm) and it can be dimmed; such a line is always off at the low level.
 * Timing: pulses of 1 ms, too fast to be seen. Units: `state` is 0 or 1, `brightness` % of full (with `pwm` only), both
 *   read back.
 * Safe state: off. Longest run: 24 h, so that a forgotten LED ends too.
 * Failure modes: OUTPUT_STUCK (something else drives the line), HARDWARE_MISSING (no generator on the line); a broken
 *   LED is not seen.
 * Source: Raspberry Pi GPIO pads, 16 mA at most per line (RP-008373-DS, "GPIO electrical specification").
 */
import { defineDriver } from '../define-driver.ts';
import type { MeasuredValue } from '../driver-spec.ts';
import { SwitchedOutput } from '../gpio/switched-output.ts';
import type { PwmLine } from '../hardware.ts';
import { z } from '../schema.ts';

const dayMs = 86_400_000;
const frequencyHz = 1_000;
const durationMs = () => z.withDefault(z.int().check(z.gte(1)), dayMs);

export const driver = defineDriver({
  apiVersion: 1,
  type: 'led',
  kind: 'actuator',
  summary: 'LED on one GPIO line',
  config: z
    .strictObject({
      activeLow: z.withDefault(z.boolean(), false),
      pwm: z.withDefault(z.boolean(), false),
    })
    .check(
      z.refine(
        ({ activeLow, pwm }) => !(activeLow && pwm),
        'a generator that is switched off leaves its line low: an active-low LED cannot have pwm',
      ),
    ),
  pins: { line: { function: 'output', activeLow: ({ activeLow }) => activeLow, pwm: ({ pwm }) => pwm } },
  metrics: {
    state: { unit: '1', min: 0, max: 1, stateKey: 'led' },
    brightness: { unit: '%', min: 0, max: 100, stateKey: 'led_brightness' },
  },
  sampleIntervalMs: 60_000,
  actions: {
    on: {
      summary: 'Switch it on, for a day unless durationMs says less',
      args: z.strictObject({ durationMs: durationMs() }),
      longestRunMs: dayMs,
    },
    brightness: {
      summary: 'Light it at percent of full, 1 to 100, for a day unless durationMs says less; off is 0',
      args: z.strictObject({
        percent: z.number().check(z.gte(1), z.lte(100)),
        durationMs: durationMs(),
      }),
      longestRunMs: dayMs,
    },
  },
  refusal: (action, { pwm }) =>
    action === 'brightness' && !pwm
      ? 'its line is only switched. Put it on BCM 12, 13, 18 or 19 with dtoverlay=pwm and set pwm to true'
      : undefined,
  create: ({ pins: { line: bcm }, config: { activeLow, pwm }, hardware }) => {
    let generator: PwmLine | undefined;
    /** What "on" means to the generator. */
    let share = 1;
    const openPwm = async () => {
      const opened = await hardware.pwm.open(bcm, { frequencyHz });
      generator = opened;
      return {
        write: (on: boolean) => opened.setShare(on ? share : 0),
        read: async () => (await opened.share()) > 0,
        close: () => opened.close(),
      };
    };
    const output = new SwitchedOutput({
      what: 'LED',
      bcm,
      open: pwm ? openPwm : () => hardware.gpio.openOutput(bcm, { activeLow, initial: false }),
    });
    const lightAt = (percent: number) => {
      share = percent / 100;
      return output.set(true);
    };
    return {
      start: () => output.open(),
      run: { on: () => lightAt(100), brightness: ({ percent }) => lightAt(percent) },
      off: () => output.set(false),
      read: async () => {
        const values: MeasuredValue<'state' | 'brightness'>[] = [
          { metric: 'state', value: (await output.isOn()) ? 1 : 0 },
        ];
        if (generator !== undefined)
          values.push({ metric: 'brightness', value: Math.round((await generator.share()) * 1_000) / 10 });
        return values;
      },
      stop: () => output.close(),
    };
  },
});
