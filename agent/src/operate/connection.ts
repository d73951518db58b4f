import {
  type BrokerConnection,
  type BrokerLink,
  type ConnectOptions,
  LinkError,
  type LinkMessage,
} from '../ports/broker-link.ts';
import { type Clock, delay } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Pulse } from '../ports/pulse.ts';
import type { OperatingConfig } from './config.ts';
import type { ConnectionState, Random } from './types.ts';

/** What a connection attempt is made from, asked anew each time: a new certificate or will takes effect at once. */
export type ConnectTarget = Omit<
  ConnectOptions,
  'onMessage' | 'keepAliveSeconds' | 'connectTimeoutMs' | 'signal'
> & {
  /** Start of the own certificate's validity, epoch ms. */
  readonly notBefore: number;
};

export interface ConnectionEvents {
  onUp(): void;
  onDown(): void;
  onMessage(message: LinkMessage): void;
  onState(state: ConnectionState, error: LinkError | undefined): void;
}

type Config = Pick<
  OperatingConfig,
  'keepAliveSeconds' | 'connectTimeoutMs' | 'reconnectSpreadMs' | 'reconnectCapMs'
>;

const LOOP = 'connection';
/** What an attempt may take beside its own time-out, ms. */
const ATTEMPT_MS = 60_000;

/**
 * Keeps one connection to the broker. Connects at once when started and when told to; otherwise after a delay with
 * full jitter over a window of at least the configured spread, so that a fleet does not come back in one second.
 */
export class Connection {
  readonly #link: BrokerLink;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #config: Config;
  readonly #target: () => ConnectTarget;
  readonly #events: ConnectionEvents;
  readonly #pulse: Pulse | undefined;
  readonly #stopped = new AbortController();
  #wake: AbortController = new AbortController();
  #connection: BrokerConnection | undefined;
  #running: Promise<void> | undefined;
  #state: ConnectionState = 'stopped';
  #error: LinkError | undefined;
  #since: number;
  #established = 0;

  constructor(options: {
    readonly link: BrokerLink;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly config: Config;
    readonly target: () => ConnectTarget;
    readonly events: ConnectionEvents;
    readonly pulse?: Pulse | undefined;
  }) {
    this.#link = options.link;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#logger = options.logger;
    this.#config = options.config;
    this.#target = options.target;
    this.#events = options.events;
    this.#since = options.clock.now();
    this.#pulse = options.pulse;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Why there is no connection; `undefined` while there is one. */
  get error(): LinkError | undefined {
    return this.#error;
  }

  /** Begin of the present state, epoch ms of the device's clock. */
  get since(): number {
    return this.#since;
  }

  /** Connections so far; tells one from the next. */
  get established(): number {
    return this.#established;
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the present connection, or the wait for one, and connects at once. */
  reconnect(): void {
    this.#wake.abort();
    void this.#connection?.close();
  }

  /** @throws {LinkError} CLOSED when there is no connection */
  async publish(message: LinkMessage): Promise<void> {
    if (this.#connection === undefined)
      throw new LinkError('CLOSED', 'There is no connection to the broker.');
    await this.#connection.publish(message);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#wake.abort();
    await this.#connection?.close();
    await this.#running;
    this.#pulse?.end(LOOP);
    this.#become('stopped', undefined);
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stopped.signal.aborted) {
      this.#wake = new AbortController();
      const error = await this.#once(() => {
        failures = 0;
      });
      if (this.#stopped.signal.aborted) return;
      if (this.#wake.signal.aborted) continue;
      const waitMs = this.#waitMs(failures, error);
      failures++;
      this.#become('waiting', error);
      this.#pulse?.beat(LOOP, waitMs + ATTEMPT_MS);
      this.#logger.warn(error.message, { code: error.code, againInMs: Math.round(waitMs) });
      await delay(this.#clock, waitMs, this.#wake.signal).catch(() => undefined);
    }
  }

  /** One connection from beginning to end; the answer is why it ended. */
  async #once(onEstablished: () => void): Promise<LinkError> {
    this.#become('connecting', this.#error);
    this.#pulse?.beat(LOOP, this.#config.connectTimeoutMs * 2 + ATTEMPT_MS);
    try {
      const { notBefore, ...target } = this.#target();
      if (this.#clock.now() < notBefore)
        return new LinkError(
          'CLOCK_BEHIND',
          "This device's certificate is not valid yet: waiting for the clock to be set.",
        );
      const connection = await this.#link.connect({
        ...target,
        keepAliveSeconds: this.#config.keepAliveSeconds,
        connectTimeoutMs: this.#config.connectTimeoutMs,
        onMessage: (message) => this.#events.onMessage(message),
        signal: this.#stopped.signal,
      });
      if (this.#wake.signal.aborted) {
        await connection.close();
        return await connection.closed;
      }
      onEstablished();
      this.#connection = connection;
      this.#established++;
      this.#become('connected', undefined);
      // From here on the keep-alive of the link ends what hangs.
      this.#pulse?.end(LOOP);
      this.#logger.info('connected to the broker', { host: target.host, port: target.port });
      this.#events.onUp();
      return await connection.closed;
    } catch (cause) {
      return cause instanceof LinkError
        ? cause
        : new LinkError('PROTOCOL', `Connecting failed: ${String(cause)}`, { cause });
    } finally {
      if (this.#connection !== undefined) {
        this.#connection = undefined;
        this.#events.onDown();
      }
    }
  }

  #waitMs(failures: number, error: LinkError): number {
    const { reconnectSpreadMs: spread, reconnectCapMs: cap } = this.#config;
    // A clock is set within seconds once there is a network: no reason to wait as for a broker.
    const window =
      error.code === 'CLOCK_BEHIND' ? 5_000 : Math.max(spread, Math.min(cap, spread * 2 ** failures));
    return this.#random.fraction() * window;
  }

  #become(state: ConnectionState, error: LinkError | undefined): void {
    if (state !== this.#state) this.#since = this.#clock.now();
    this.#state = state;
    this.#error = error;
    this.#events.onState(state, error);
  }
}
