import { type BrokerLink, BrokerLinkError } from '../ports/broker-link.ts';
import type { Logger } from '../ports/logger.ts';

const AGAIN_MS = 300;

/**
 * A link that exists before its broker does: processes of one cloud start in any order. Until the first connection
 * `publish` is refused as with a lost one, and `subscribe` waits.
 */
export function createLateBrokerLink(options: {
  /** Tried again and again until it resolves. */
  readonly open: () => Promise<BrokerLink>;
  readonly log: Logger;
}): BrokerLink {
  const { open, log } = options;
  let link: BrokerLink | undefined;
  let closed = false;
  let wake: () => void = () => undefined;

  const connect = async (): Promise<BrokerLink> => {
    for (let attempt = 0; ; attempt += 1) {
      if (closed) throw new BrokerLinkError('CLOSED', 'The link to the broker is closed.');
      try {
        link = await open();
        return link;
      } catch (error) {
        if (attempt === 0) log.warn({ error: (error as Error).message }, 'waiting for the broker');
      }
      await new Promise<void>((next) => {
        const timer = setTimeout(next, AGAIN_MS);
        wake = () => {
          clearTimeout(timer);
          next();
        };
      });
    }
  };
  const connecting = connect();
  connecting.catch(() => undefined);

  return {
    async publish(topic, payload, settings) {
      if (link === undefined) throw new BrokerLinkError('NOT_CONNECTED', 'The broker is not connected yet.');
      await link.publish(topic, payload, settings);
    },
    subscribe: async (filters, handler, settings) => (await connecting).subscribe(filters, handler, settings),
    connected: () => link?.connected() ?? false,
    async close() {
      closed = true;
      wake();
      await connecting.then(
        (opened) => opened.close(),
        () => undefined,
      );
    },
  };
}
