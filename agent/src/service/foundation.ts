import { IdentityError } from '../identity/errors.ts';
import { type Clock, delay } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Pulse } from '../ports/pulse.ts';

/** A device that cannot begin its life: it lacks something that only people can give it. */
export interface Waiting {
  readonly state: 'WAITING_FOR_TRUST' | 'NEEDS_REPAIR';
  /** What is missing or damaged. */
  readonly why: string;
  /** Epoch ms. */
  readonly since: number;
}

const LOOK_EVERY_MS = 2_000;
const LOOP = 'wait for what the device lacks';
const ROUND_MS = 60_000;

/**
 * Waits until the device has an identity and a trust file that can be used. What is missing is no reason to end: a
 * service that ends is started again, for ever and for nothing. Nothing else of the agent runs meanwhile.
 *
 * @param ports.lay makes what can be made and checks the rest; throws {IdentityError}
 * @returns whether it is there; `false` when the signal came first
 * @throws whatever `lay` throws that people cannot mend by a file
 */
export async function awaitFoundation(ports: {
  lay(): void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pulse: Pulse;
  readonly signal: AbortSignal;
  onWaiting(waiting: Waiting): void;
}): Promise<boolean> {
  const { clock, logger, pulse, signal } = ports;
  let waiting: Waiting | undefined;
  while (!signal.aborted) {
    pulse.beat(LOOP, ROUND_MS);
    try {
      ports.lay();
      pulse.end(LOOP);
      if (waiting !== undefined) logger.info('the device has what it was waiting for');
      return true;
    } catch (cause) {
      if (!(cause instanceof IdentityError)) throw cause;
      const state = cause.code === 'TRUST_MISSING' ? 'WAITING_FOR_TRUST' : 'NEEDS_REPAIR';
      if (waiting?.why !== cause.message) {
        waiting = { state, why: cause.message, since: clock.now() };
        logger.warn('the device cannot begin', { state, why: cause.message });
        ports.onWaiting(waiting);
      }
    }
    await delay(clock, LOOK_EVERY_MS, signal).catch(() => undefined);
  }
  return false;
}
