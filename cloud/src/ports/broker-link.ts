/**
 * The cloud's way to the MQTT broker. Embedded: the broker in the same process; otherwise an MQTT client with a
 * service certificate. Delivery is at most once for QoS 0 and best effort for QoS 1: nothing in Ares relies on it,
 * readings are acknowledged after the commit and commands are published again.
 */
export interface BrokerLink {
  /**
   * Hands the message to the broker.
   * @throws {BrokerLinkError} NOT_CONNECTED, REFUSED; the message was not taken
   */
  publish(topic: string, payload: Uint8Array | string, options?: PublishOptions): Promise<void>;
  /**
   * Hears what is published on topics that match one of the filters, until the answer is called. The handler gets
   * the topic as published; it must not throw. Subscriptions survive a lost connection.
   */
  subscribe(
    filters: readonly string[],
    handler: MessageHandler,
    options?: SubscribeOptions,
  ): Promise<Unsubscribe>;
  connected(): boolean;
  close(): Promise<void>;
}

interface PublishOptions {
  /** Default 0. */
  readonly qos?: 0 | 1;
}

interface SubscribeOptions {
  /**
   * Name of the group whose members each get a part of the messages (`$share`). Secret, because a device that
   * knew it could join. Brokers without groups, the embedded one among them, give every member every message;
   * that costs work and nothing else, since a reading is stored once however often it comes.
   */
  readonly group?: string;
}

export type MessageHandler = (topic: string, payload: Uint8Array) => void;
export type Unsubscribe = () => Promise<void>;

export type BrokerLinkErrorCode = 'NOT_CONNECTED' | 'REFUSED' | 'CLOSED';

/** The broker did not take a message or a subscription. */
export class BrokerLinkError extends Error {
  override readonly name = 'BrokerLinkError';
  readonly code: BrokerLinkErrorCode;

  constructor(code: BrokerLinkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
