import type { DriverClock } from '@ares/hardware-drivers';
import { type Clock, delay } from '../ports/clock.ts';

/** The agent's clock as a driver may see it: monotonic only. */
export function driverClock(clock: Clock): DriverClock {
  return {
    monotonicMs: () => clock.monotonicMs(),
    delay: (durationMs, signal) => delay(clock, durationMs, signal),
  };
}
