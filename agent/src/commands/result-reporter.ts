import type { CommandResult } from '@ares/protocol';
import type { OperatingConfig } from '../operate/config.ts';
import type { Random } from '../operate/types.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandJournal } from '../store/types.ts';
import { MessageMaker } from '../telemetry/message-maker.ts';

/** Most results in one message. */
const MAX_RESULTS = 100;

/** Sends results at once and again until the cloud has acknowledged them. */
export class ResultReporter {
  readonly #journal: CommandJournal;
  readonly #assignment: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #config: Pick<OperatingConfig, 'resendAfterMs' | 'resendMaxMs'>;
  readonly #send: (results: readonly CommandResult[]) => void;
  #cancel: (() => void) | undefined;
  #connected = false;
  #rounds = 0;
  /** More waits than one message held. */
  #more = false;

  constructor(options: {
    readonly journal: CommandJournal;
    readonly assignment: number;
    readonly clock: Clock;
    readonly random: Random;
    readonly config: Pick<OperatingConfig, 'resendAfterMs' | 'resendMaxMs'>;
    readonly send: (results: readonly CommandResult[]) => void;
  }) {
    this.#journal = options.journal;
    this.#assignment = options.assignment;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#config = options.config;
    this.#send = options.send;
  }

  report(result: CommandResult): void {
    if (!this.#connected) return;
    this.#send([result]);
    this.#schedule();
  }

  /** Everything that waits, now. */
  connected(): void {
    this.#connected = true;
    this.#rounds = 0;
    this.#resend();
  }

  /** Nothing is sent, and no timer runs, until there is a connection again. */
  disconnected(): void {
    this.#connected = false;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** The answer is how many of these were waiting. */
  acknowledged(commandIds: readonly string[]): number {
    if (commandIds.length === 0) return 0;
    const count = this.#journal.acknowledge(commandIds);
    if (this.#more && count > 0) this.#resend();
    if (count > 0) this.#rounds = 0;
    return count;
  }

  #resend(): void {
    const waiting = this.#journal.unacknowledged(this.#assignment, MAX_RESULTS);
    if (waiting.length === 0) {
      this.#rounds = 0;
      this.#more = false;
      return;
    }
    const sent = waiting.slice(0, MessageMaker.fitting(waiting, MAX_RESULTS));
    this.#more = sent.length < waiting.length || sent.length === MAX_RESULTS;
    this.#send(sent);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#cancel !== undefined) return;
    const { resendAfterMs, resendMaxMs } = this.#config;
    const window = Math.min(resendMaxMs, resendAfterMs * 2 ** this.#rounds++);
    this.#cancel = this.#clock.after(window * (0.5 + this.#random.fraction()), () => {
      this.#cancel = undefined;
      this.#resend();
    });
  }
}
