import { existsSync } from 'node:fs';
import type { Clock } from '../ports/clock.ts';

/** systemd-timesyncd makes this file when it has set the clock, each boot anew. */
const synchronisedPath = '/run/systemd/timesync/synchronized';
const recheckMs = 5_000;

/**
 * The clock of this machine.
 * @param options.assumeSynchronised for a machine that keeps its clock by other means (chrony, a container, a
 *   developer's laptop); the cloud's time is compared in any case
 */
export function createSystemClock(options: { readonly assumeSynchronised?: boolean } = {}): Clock {
  let checkedAt = Number.NEGATIVE_INFINITY;
  let found = false;
  return {
    now: () => Date.now(),
    monotonicMs: () => performance.now(),
    synchronised: () => {
      if (options.assumeSynchronised === true) return true;
      const now = performance.now();
      if (now - checkedAt > recheckMs) {
        checkedAt = now;
        found = existsSync(synchronisedPath);
      }
      return found;
    },
    after: (delayMs, run) => {
      const timer = setTimeout(run, Math.max(0, delayMs));
      return () => clearTimeout(timer);
    },
  };
}
