/**
 * Why there is no connection. Closed.
 * `NOT_AUTHORIZED`: the broker said no (CONNACK 4 or 5). `CERTIFICATE_REFUSED`: it ended the TLS session because of
 * this device's certificate (TLS alert, or a close right after the handshake, which is all that TLS 1.3 shows).
 * `CLOCK_BEHIND`: a certificate is not valid yet, so the clock of this device is behind: wait for it.
 * `SERVER_UNTRUSTED`: the broker's certificate does not chain to the trust file or names another host.
 * `NETWORK`: no address, no answer, reset. `BROKER_UNAVAILABLE`: CONNACK 3. `PROTOCOL`: anything else it said.
 * `KEEPALIVE`: a connection that stopped answering. `CLOSED`: an established connection ended.
 */
export type LinkErrorCode =
  | 'NOT_AUTHORIZED'
  | 'CERTIFICATE_REFUSED'
  | 'CLOCK_BEHIND'
  | 'SERVER_UNTRUSTED'
  | 'NETWORK'
  | 'BROKER_UNAVAILABLE'
  | 'IDENTIFIER_REJECTED'
  | 'PROTOCOL'
  | 'KEEPALIVE'
  | 'CLOSED';

/** The message says what was wrong and what the agent does about it. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly code: LinkErrorCode;

  constructor(code: LinkErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
  }
}

/** What only the device itself may be blamed for: worth asking the cloud for one's standing. */
export const refusals: readonly LinkErrorCode[] = [
  'NOT_AUTHORIZED',
  'CERTIFICATE_REFUSED',
  'IDENTIFIER_REJECTED',
];

/** One MQTT message. */
export interface LinkMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** Device UUID: the broker compares it with the CN of the certificate. */
  readonly clientId: string;
  /** PEM certificates of the trust file; nothing else is trusted. */
  readonly caCertificates: readonly string[];
  /** PEM, leaf first. */
  readonly certificateChain: string;
  readonly privateKeyPem: string;
  /** Published by the broker when this connection ends without a good-bye. */
  readonly will: LinkMessage;
  /** Filters, all or nothing: a refused one fails the connect. */
  readonly subscribe: readonly string[];
  /** Called for each message from before `connect` settles. */
  readonly onMessage: (message: LinkMessage) => void;
  readonly keepAliveSeconds: number;
  readonly connectTimeoutMs: number;
  readonly signal?: AbortSignal;
}

/** One established connection: never reconnects by itself, keeps nothing for later. */
export interface BrokerConnection {
  /** QoS 0. Resolves when the bytes left the process. @throws {LinkError} CLOSED */
  publish(message: LinkMessage): Promise<void>;
  /** Settles once, with the reason, when the connection has ended, by whichever side. Never rejects. */
  readonly closed: Promise<LinkError>;
  /** Ends it with a DISCONNECT: the will is not published. */
  close(): Promise<void>;
}

/** The way to the broker: MQTT 3.1.1 over mutual TLS, clean session. */
export interface BrokerLink {
  /** Connected and subscribed. @throws {LinkError} */
  connect(options: ConnectOptions): Promise<BrokerConnection>;
}
