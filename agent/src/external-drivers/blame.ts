import type { Clock } from '../ports/clock.ts';

export interface BlameConfig {
  /** So many faults within the window and a driver is left alone for as long. */
  readonly faults: number;
  readonly windowMs: number;
  /** A suspect that is at work for so long without an end of the process is none any more. */
  readonly trialMs: number;
}

export const defaultBlameConfig: BlameConfig = { faults: 3, windowMs: 3_600_000, trialMs: 30_000 };

/**
 * Finds out whose driver ends the process that all drivers by others share, so that one of them cannot keep the
 * others from work. Where several could have been it, they come back one at a time, each on trial: the process ends
 * again only under the one that ends it. Components are named by any key.
 */
export class Blame {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #config: BlameConfig;
  readonly #faults = new Map<string, number[]>();
  readonly #suspects = new Set<string>();
  #trial: { readonly key: string; readonly since: number } | undefined;

  constructor(clock: Pick<Clock, 'monotonicMs'>, config: BlameConfig) {
    this.#clock = clock;
    this.#config = config;
  }

  /** Why this one may not begin now, as a sentence; `undefined` when it may. */
  refusal(key: string): string | undefined {
    const { windowMs, faults } = this.#config;
    if (this.#recent(key).length >= faults)
      return `its driver brought down the process of drivers by others ${faults} times and is left alone for ${windowMs / 60_000} minutes`;
    if (!this.#suspects.has(key) || this.#trial === undefined || this.#trial.key === key) return undefined;
    return 'the process of drivers by others ended while several drivers were at work; they come back one at a time';
  }

  /** Its driver's code runs from now on. */
  began(key: string): void {
    if (this.#suspects.has(key) && this.#trial === undefined)
      this.#trial = { key, since: this.#clock.monotonicMs() };
  }

  /** The process turns: whoever is on trial for long enough is found innocent. */
  alive(): void {
    const trial = this.#trial;
    if (trial === undefined || this.#clock.monotonicMs() - trial.since < this.#config.trialMs) return;
    this.#suspects.delete(trial.key);
    this.#trial = undefined;
  }

  /** Detached: nobody waits for it any more. */
  left(key: string): void {
    if (this.#trial?.key === key) this.#trial = undefined;
  }

  /** One fault that is known to be this one's. */
  fault(key: string): void {
    this.#faults.set(key, [...this.#recent(key), this.#clock.monotonicMs()]);
  }

  /**
   * The process ended by itself.
   * @param at.running whose code had been entered and not left: nothing else can have run
   * @param at.started everybody with an instance, who may have code in timers or behind an await
   * @returns who did it, where that can be told
   */
  ended(at: {
    readonly running: string | undefined;
    readonly started: readonly string[];
  }): string | undefined {
    const onTrial = this.#trial !== undefined && at.started.includes(this.#trial.key);
    const culprit =
      at.running ?? (onTrial ? this.#trial?.key : at.started.length === 1 ? at.started[0] : undefined);
    this.#trial = undefined;
    if (culprit !== undefined) this.fault(culprit);
    else for (const key of at.started) this.#suspects.add(key);
    return culprit;
  }

  #recent(key: string): number[] {
    const since = this.#clock.monotonicMs() - this.#config.windowMs;
    return (this.#faults.get(key) ?? []).filter((at) => at > since);
  }
}
