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
import { defineSwitchedPart } from '../gpio/switched-part.ts';

export const driver = defineSwitchedPart({
  type: 'pump',
  summary: 'Pump behind a relay on one GPIO line',
  stateKey: 'pump',
  activeLow: false,
  hardLimitMs: 10 * 60_000,
  longestRunMs: 5 * 60_000,
});
