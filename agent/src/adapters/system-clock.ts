import { existsSync } from 'node:fs';
import type { Clock } from '../ports/clock.ts';

/** systemd-timesyncd makes this file when it has set the clock, each boot anew. */
const timesyncdPath = '/run/systemd/timesync/synchronized';
const LOOK_EVERY_MS = 5_000;
/** A question starts a program; while the answer is no, and once it was yes. */
const ASK_EVERY_MS = 30_000;
const ASK_AGAIN_MS = 900_000;

/**
 * The clock of this machine. Synchronised is what there is evidence for, and nothing else.
 *
 * @param options.assumeSynchronised the word of a person, for a machine that keeps its clock by means that the
 *   operating system does not know of (a container, a developer's laptop)
 * @param options.synchronisedPath file that is there once the clock is set
 * @param options.ask whether the kernel's clock is kept by anything else (chrony, ntpd); asked in the background,
 *   and only while there is no such file
 */
export function createSystemClock(
  options: {
    readonly assumeSynchronised?: boolean;
    readonly synchronisedPath?: string;
    readonly ask?: () => Promise<boolean>;
  } = {},
): Clock {
  const { assumeSynchronised = false, synchronisedPath = timesyncdPath, ask } = options;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let there = false;
  let askAt = Number.NEGATIVE_INFINITY;
  let answer = false;
  const askSometimes = (now: number) => {
    if (ask === undefined || now < askAt) return;
    askAt = Number.POSITIVE_INFINITY;
    void ask()
      .catch(() => false)
      .then((yes) => {
        answer = yes;
        askAt = performance.now() + (yes ? ASK_AGAIN_MS : ASK_EVERY_MS);
      });
  };
  return {
    now: () => Date.now(),
    monotonicMs: () => performance.now(),
    synchronised: () => {
      if (assumeSynchronised) return true;
      const now = performance.now();
      if (now - lookedAt > LOOK_EVERY_MS) {
        lookedAt = now;
        there = existsSync(synchronisedPath);
      }
      if (!there) askSometimes(now);
      return there || answer;
    },
    after: (delayMs, run) => {
      const timer = setTimeout(run, Math.max(0, delayMs));
      return () => clearTimeout(timer);
    },
  };
}
