/**
 * Water pump behind a relay or a MOSFET board.
 *
 * Part: 5–12 V submersible pump; the GPIO line switches the board, never the pump itself.
 * Pins: one output; `activeLow: true` for opto-isolated relay boards, which are on at the low level.
 * Timing: `longestRunMs` bounds one run with all renewals (a pump that runs dry or floods a bed is worse than a
 *   dry plant); `minimumOffMs` is the rest between two runs, counted from start too, because nobody knows for how
 *   long a pump was off before. Units: `state` is 0 or 1, read back from the line.
 * Safe state: off, at start, at stop, by the guard outside of the process.
 * Failure modes: RUN_TOO_LONG, MINIMUM_OFF_TIME (with `retryAfterMs`), OUTPUT_STUCK. A pump without water or
 *   with a broken wire is not seen by the line; the soil-moisture sensor shows it.
 * Source: typical mini pump data (DC 3–6 V, short duty); relay board SRD-05VDC-SL-C, on time 10 ms.
 */
import { defineDriver } from '../define-driver.ts';
import { DriverError } from '../errors.ts';
import { SwitchedOutput } from '../gpio/switched-output.ts';
import { z } from '../schema.ts';

/** No config may allow more. */
const hardLimitMs = 10 * 60_000;

export const driver = defineDriver({
  apiVersion: 1,
  type: 'pump',
  kind: 'actuator',
  summary: 'Pump behind a relay on one GPIO line',
  config: z.strictObject({
    activeLow: z.withDefault(z.boolean(), false),
    longestRunMs: z.withDefault(z.int().check(z.gte(100), z.lte(hardLimitMs)), 5 * 60_000),
    minimumOffMs: z.withDefault(z.int().check(z.gte(0), z.lte(3_600_000)), 500),
  }),
  pins: { line: { function: 'output', activeLow: ({ activeLow }) => activeLow } },
  metrics: { state: { unit: '1', min: 0, max: 1, stateKey: 'pump' } },
  sampleIntervalMs: 60_000,
  actions: {
    on: {
      summary: 'Run for durationMs',
      args: z.strictObject({ durationMs: z.int().check(z.gte(1), z.lte(hardLimitMs)) }),
      longestRunMs: hardLimitMs,
    },
  },
  limits: ({ longestRunMs, minimumOffMs }) => ({ longestRunMs, minimumOffMs }),
  create: ({ pins: { line: bcm }, config: { activeLow, minimumOffMs }, hardware, clock, logger }) => {
    const output = new SwitchedOutput({ what: 'pump', gpio: hardware.gpio, bcm, activeLow });
    let offSinceMs = 0;
    let switchedOn = false;
    const ended = () => {
      switchedOn = false;
      offSinceMs = clock.monotonicMs();
    };
    return {
      start: async () => {
        await output.open();
        offSinceMs = clock.monotonicMs();
      },
      run: {
        on: async ({ durationMs }) => {
          const running = await output.isOn();
          // The guard, or a hand, ended the run behind our back: the rest counts from now, when we notice.
          if (switchedOn && !running) ended();
          const restedMs = clock.monotonicMs() - offSinceMs;
          // A second "on" while it runs is a renewal and needs no rest.
          if (!running && restedMs < minimumOffMs)
            throw new DriverError(
              'MINIMUM_OFF_TIME',
              `the pump rests for ${minimumOffMs} ms between runs; try again later`,
              {
                details: { retryAfterMs: Math.ceil(minimumOffMs - restedMs) },
              },
            );
          switchedOn = true;
          await output.set(true);
          logger.info('pump on', { bcm, durationMs });
        },
      },
      off: async () => {
        await output.set(false);
        if (switchedOn) ended();
      },
      read: async () => [{ metric: 'state', value: (await output.isOn()) ? 1 : 0 }],
      stop: () => output.close(),
    };
  },
});
