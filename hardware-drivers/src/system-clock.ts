import { setTimeout as delay } from 'node:timers/promises';
import type { DriverClock } from './hardware.ts';

/** The monotonic clock of this process. */
export const systemDriverClock: DriverClock = {
  monotonicMs: () => performance.now(),
  delay: async (durationMs, signal) => {
    await delay(durationMs, undefined, signal === undefined ? {} : { signal });
  },
};
