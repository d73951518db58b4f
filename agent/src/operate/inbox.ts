import {
  type CommandClaims,
  type ComponentsChangedClaims,
  orderTypes,
  parseCommandClaims,
  parseComponentsChangedClaims,
  parseResetClaims,
  parseWifiChangeClaims,
  type ResetClaims,
  topics,
  type WifiChangeClaims,
} from '@ares/protocol';
import { isOnItsTopic } from '../commands/command-runner.ts';
import type { OrderVerifier, VerifiedOrder } from '../commands/verify-order.ts';
import type { LinkMessage } from '../ports/broker-link.ts';
import type { Logger } from '../ports/logger.ts';

export interface InboxEvents {
  onAcknowledgement(message: LinkMessage): void;
  onCommand(claims: CommandClaims): void;
  onComponentsChanged(claims: ComponentsChangedClaims): void;
  onWifiChange(claims: WifiChangeClaims): void;
  onReset(claims: ResetClaims, token: string): void;
}

/** Ignored orders are logged one by one up to here, then each tenfold: a flood must not fill the disk. */
const LOGGED_EACH = 10;
/** Orders that may wait for their verification; beyond it a flood is dropped. */
const MAX_WAITING = 200;

/**
 * Takes what the broker delivers and believes nothing of it but what is signed. Orders are verified one after the
 * other, so that they are obeyed in the order in which they came.
 */
export class Inbox {
  readonly #verify: OrderVerifier;
  readonly #deviceUuid: string;
  readonly #assignment: number;
  readonly #logger: Logger;
  readonly #events: InboxEvents;
  #waiting = 0;
  #ignored = 0;
  #tail: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly verify: OrderVerifier;
    readonly deviceUuid: string;
    readonly assignment: number;
    readonly logger: Logger;
    readonly events: InboxEvents;
  }) {
    this.#verify = options.verify;
    this.#deviceUuid = options.deviceUuid;
    this.#assignment = options.assignment;
    this.#logger = options.logger;
    this.#events = options.events;
  }

  /** Orders that were ignored since the start: not authentic, not for this device and owner, or too many at once. */
  get ignored(): number {
    return this.#ignored;
  }

  receive(message: LinkMessage): void {
    if (topics.telemetryAck.parse(message.topic) !== undefined) {
      this.#events.onAcknowledgement(message);
      return;
    }
    if (this.#waiting >= MAX_WAITING) {
      this.#refused(message.topic, 'TOO_MANY', 'too many orders at once');
      return;
    }
    this.#waiting++;
    this.#tail = this.#tail
      .then(() => this.#order(message))
      .catch((cause: unknown) => this.#logger.error('order failed', { topic: message.topic, cause }))
      .finally(() => {
        this.#waiting--;
      });
  }

  async #order({ topic, payload }: LinkMessage): Promise<void> {
    const binding = { deviceUuid: this.#deviceUuid, assignment: this.#assignment, topic };
    if (topics.systemReset.parse(topic) !== undefined) {
      const order = await this.#verify(payload, {
        ...binding,
        typ: orderTypes.reset,
        parse: parseResetClaims,
      });
      if (this.#accepted(topic, order)) this.#events.onReset(order.claims, new TextDecoder().decode(payload));
    } else if (topics.componentsChanged.parse(topic) !== undefined) {
      const typ = orderTypes.componentsChanged;
      const order = await this.#verify(payload, { ...binding, typ, parse: parseComponentsChangedClaims });
      if (this.#accepted(topic, order)) this.#events.onComponentsChanged(order.claims);
    } else if (topics.wifiChange.parse(topic) !== undefined) {
      const typ = orderTypes.wifiChange;
      const order = await this.#verify(payload, { ...binding, typ, parse: parseWifiChangeClaims });
      if (this.#accepted(topic, order)) this.#events.onWifiChange(order.claims);
    } else if (topics.command.parse(topic) !== undefined) {
      const order = await this.#verify(payload, {
        ...binding,
        typ: orderTypes.command,
        parse: parseCommandClaims,
      });
      if (!this.#accepted(topic, order)) return;
      if (isOnItsTopic(order.claims)) this.#events.onCommand(order.claims);
      else this.#refused(topic, 'TOPIC', 'component and action are not those of the topic');
    } else this.#logger.debug('message on a topic without meaning here', { topic });
  }

  #accepted<T>(topic: string, order: VerifiedOrder<T>): order is { ok: true; claims: T } {
    if (!order.ok) this.#refused(topic, order.problem, order.detail);
    return order.ok;
  }

  #refused(topic: string, problem: string, detail: string): void {
    const ignored = ++this.#ignored;
    if (ignored <= LOGGED_EACH || Number.isInteger(Math.log10(ignored)))
      this.#logger.warn('order ignored', { topic, problem, detail, ignored });
  }
}
