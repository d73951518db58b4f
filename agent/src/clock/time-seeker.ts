import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { SignedTime, TrustedClock } from './trusted-clock.ts';

/** The network may set the clock meanwhile; that is better. */
const LOOK_EVERY_MS = 30_000;
const RETRY_MAX_MS = 3_600_000;
/** Half of the time that an answer is good for. */
const RENEW_AFTER_MS = 43_200_000;

/** Asks the cloud for its signed time while nothing else tells the time, less and less often when it does not answer. */
export class TimeSeeker {
  readonly #clock: Clock;
  readonly #time: TrustedClock;
  readonly #logger: Logger;
  readonly #ask: (signal: AbortSignal) => Promise<SignedTime>;
  readonly #worthIt: () => boolean;
  readonly #onTime: (epochMs: number) => void;
  readonly #stopped = new AbortController();
  #cancel: () => void = () => undefined;
  #failures = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly clock: Clock;
    readonly time: TrustedClock;
    readonly logger: Logger;
    readonly ask: (signal: AbortSignal) => Promise<SignedTime>;
    /** Whether the cloud can be of help now; asked each time. */
    readonly worthIt: () => boolean;
    readonly onTime: (epochMs: number) => void;
  }) {
    this.#clock = options.clock;
    this.#time = options.time;
    this.#logger = options.logger;
    this.#ask = options.ask;
    this.#worthIt = options.worthIt;
    this.#onTime = options.onTime;
  }

  start(): void {
    this.#later(LOOK_EVERY_MS);
  }

  stop(): void {
    this.#stopped.abort();
    this.#cancel();
  }

  #later(waitMs: number): void {
    this.#cancel();
    this.#cancel = this.#clock.after(waitMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    let waitMs = LOOK_EVERY_MS;
    if (this.#isWanted() && this.#worthIt()) {
      try {
        const answer = await this.#ask(this.#stopped.signal);
        if (!this.#time.observeSignedTime(answer)) throw new Error('The answer took too long.');
        this.#failures = 0;
        this.#answeredAt = this.#clock.monotonicMs();
        this.#onTime(answer.epochMs + this.#clock.monotonicMs() - answer.answeredAt);
        this.#logger.info('the cloud signed the time; the clock is not set from the network');
      } catch (cause) {
        if (this.#stopped.signal.aborted) return;
        waitMs = Math.min(RETRY_MAX_MS, LOOK_EVERY_MS * 2 ** ++this.#failures);
        this.#logger.warn('the time is not known', { cause, againInMs: waitMs });
      }
    }
    if (!this.#stopped.signal.aborted) this.#later(waitMs);
  }

  #isWanted(): boolean {
    const source = this.#time.source();
    return (
      source === null || (source === 'cloud' && this.#clock.monotonicMs() - this.#answeredAt > RENEW_AFTER_MS)
    );
  }
}
