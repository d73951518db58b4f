/**
 * Relay for anything that may be on for a while: a lamp, a fan, a valve, a heating mat.
 *
 * Part: relay board with its own supply. What it switches must bear being cut off at any moment: that is its safe
 *   state, and there is no other. What must run when nobody controls it belongs on the normally-closed contact.
 * Pins: one output; on at the low level, as most opto-isolated boards are, unless `activeLow: false`.
 * Timing: `longestRunMs` (an hour unless configured, at most a day) bounds one run with all renewals; `minimumOffMs` is
 *   the rest between two runs. Units: `state` is 0 or 1, read back from the line.
 * Safe state: off (coil without current), at start, at stop, by the guard outside of the process.
 * Failure modes: RUN_TOO_LONG, MINIMUM_OFF_TIME (with `retryAfterMs`), OUTPUT_STUCK. A welded contact or a missing
 *   load is not seen by the line. With the wrong `activeLow` it is on at rest: try it before mains are connected.
 * Source: Songle SRD-05VDC-SL-C (10 ms on, 5 ms off, 10^5 operations under load).
 */
import { defineSwitchedPart } from '../gpio/switched-part.ts';

export const driver = defineSwitchedPart({
  type: 'relay',
  summary: 'Relay on one GPIO line',
  stateKey: 'relay',
  activeLow: true,
  hardLimitMs: 86_400_000,
  longestRunMs: 3_600_000,
});
