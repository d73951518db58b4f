import { filterMatches } from '@ares/protocol';
import {
  type BrokerConnection,
  type BrokerLink,
  type ConnectOptions,
  LinkError,
  type LinkErrorCode,
  type LinkMessage,
} from '../../src/ports/broker-link.ts';

/** A broker in this process, as far as the link's contract goes. */
export interface FakeBroker {
  readonly link: BrokerLink;
  /** Everything that devices published, wills included. */
  readonly published: LinkMessage[];
  /** Options of each attempt, the last one last. */
  readonly attempts: ConnectOptions[];
  readonly connected: boolean;
  onPublish(listener: (message: LinkMessage) => void): void;
  deliver(topic: string, payload: Uint8Array | string): void;
  /** Ends the connection without a good-bye: the will is published. */
  drop(code?: LinkErrorCode): void;
  /** Refuses every attempt until it is called without a code. */
  refuse(code?: LinkErrorCode): void;
}

export function createFakeBroker(): FakeBroker {
  const published: LinkMessage[] = [];
  const attempts: ConnectOptions[] = [];
  const listeners: ((message: LinkMessage) => void)[] = [];
  let refusal: LinkErrorCode | undefined;
  let present: { options: ConnectOptions; end(error: LinkError, will: boolean): void } | undefined;
  const take = (message: LinkMessage) => {
    published.push(message);
    for (const listener of listeners) listener(message);
  };

  const connect = async (options: ConnectOptions): Promise<BrokerConnection> => {
    attempts.push(options);
    await Promise.resolve();
    if (options.signal?.aborted === true) throw new LinkError('CLOSED', 'The agent stopped connecting.');
    if (refusal !== undefined) throw new LinkError(refusal, `refused by the fake broker: ${refusal}`);
    let open = true;
    let settle: (error: LinkError) => void = () => undefined;
    const closed = new Promise<LinkError>((resolve) => {
      settle = resolve;
    });
    const end = (error: LinkError, will: boolean) => {
      if (!open) return;
      open = false;
      if (present === entry) present = undefined;
      if (will) take(options.will);
      settle(error);
    };
    const entry = { options, end };
    present?.end(new LinkError('CLOSED', 'the same client connected again'), true);
    present = entry;
    return {
      closed,
      publish: async (message) => {
        if (!open) throw new LinkError('CLOSED', 'The connection to the broker has ended.');
        take({ topic: message.topic, payload: Uint8Array.from(message.payload) });
      },
      close: async () => end(new LinkError('CLOSED', 'closed by the agent'), false),
    };
  };

  return {
    link: { connect },
    published,
    attempts,
    get connected() {
      return present !== undefined;
    },
    onPublish: (listener) => listeners.push(listener),
    deliver: (topic, payload) => {
      const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
      if (present?.options.subscribe.some((filter) => filterMatches(filter, topic)) === true)
        present.options.onMessage({ topic, payload: bytes });
    },
    drop: (code = 'CLOSED') => present?.end(new LinkError(code, 'dropped by the fake broker'), true),
    refuse: (code) => {
      refusal = code;
    },
  };
}
