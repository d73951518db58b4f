import type { DeviceComponents } from '@ares/protocol/http/device';
import type { Clock } from '../ports/clock.ts';
import type { ComponentSource } from '../ports/component-source.ts';
import type { Logger } from '../ports/logger.ts';
import type { Outbox } from '../store/types.ts';

const DOCUMENT = 'components';
const retryMs = 5_000;
const retryMaxMs = 300_000;

/** The list of components: the last one at once, a fresh one with each connection and when the cloud says so. */
export class ComponentList {
  readonly #source: ComponentSource;
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onList: (list: DeviceComponents) => Promise<void>;
  readonly #stopped = new AbortController();
  #fetching = false;
  #settled: Promise<void> = Promise.resolve();
  #again = false;
  #failures = 0;
  #cancelRetry: () => void = () => undefined;

  constructor(options: {
    readonly source: ComponentSource;
    readonly outbox: Outbox;
    readonly clock: Clock;
    readonly logger: Logger;
    /** Settles when the list is in force. Never rejects. */
    readonly onList: (list: DeviceComponents) => Promise<void>;
  }) {
    this.#source = options.source;
    this.#outbox = options.outbox;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#onList = options.onList;
  }

  /** The list of the last time, so that a device without the cloud works after a restart; else a fresh one. */
  start(): void {
    const kept = this.#outbox.loadDocument(DOCUMENT) as DeviceComponents | undefined;
    if (kept === undefined) this.refresh();
    else void this.#onList(kept);
  }

  /** Asks the cloud; once more afterwards when it is asked for meanwhile. */
  refresh(): void {
    this.#again = this.#fetching;
    if (!this.#fetching) this.#settled = this.#fetch();
  }

  /** Settles when the list that is being fetched is in force, or cannot be had. */
  async settled(): Promise<void> {
    let seen: Promise<void> | undefined;
    while (seen !== this.#settled) {
      seen = this.#settled;
      await seen;
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#cancelRetry();
  }

  async #fetch(): Promise<void> {
    this.#fetching = true;
    this.#cancelRetry();
    try {
      const list = await this.#source.fetch(this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
      this.#failures = 0;
      this.#outbox.saveDocument(DOCUMENT, list);
      await this.#onList(list);
    } catch (cause) {
      if (this.#stopped.signal.aborted) return;
      const waitMs = Math.min(retryMaxMs, retryMs * 2 ** this.#failures++);
      this.#logger.warn('the list of components cannot be fetched', { cause, againInMs: waitMs });
      this.#cancelRetry = this.#clock.after(waitMs, () => this.refresh());
    } finally {
      this.#fetching = false;
    }
    if (!this.#again) return;
    this.#again = false;
    this.refresh();
  }
}
