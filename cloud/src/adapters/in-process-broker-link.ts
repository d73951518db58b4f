import { filterMatches } from '@ares/protocol';
import type { Aedes, AedesPublishPacket } from 'aedes';
import { type BrokerLink, BrokerLinkError } from '../ports/broker-link.ts';

/**
 * The link of the process that the embedded broker runs in. Groups are not needed: whoever is in this process gets
 * each message once.
 */
export function createInProcessBrokerLink(broker: Aedes): BrokerLink {
  let closed = false;
  const assertOpen = () => {
    if (closed || broker.closed) throw new BrokerLinkError('CLOSED', 'The link to the broker is closed.');
  };
  return {
    async publish(topic, payload, { qos = 0 } = {}) {
      assertOpen();
      const message = {
        cmd: 'publish' as const,
        topic,
        payload: Buffer.from(payload as Uint8Array),
        qos,
        retain: false,
        dup: false,
      };
      await new Promise<void>((done, fail) =>
        broker.publish(message, (error) =>
          error ? fail(new BrokerLinkError('REFUSED', error.message, { cause: error })) : done(),
        ),
      );
    },
    async subscribe(filters, handler) {
      assertOpen();
      const deliver = (packet: AedesPublishPacket, done: () => void) => {
        // Unlike the broker's clients, its own listeners get topics that begin with $ for a leading wildcard.
        if (filters.some((filter) => filterMatches(filter, packet.topic)))
          handler(packet.topic, packet.payload as Uint8Array);
        // Not at once: the broker would go on to its next queued message inside this call, and so on for ever.
        queueMicrotask(done);
      };
      for (const filter of filters)
        await new Promise<void>((done) => broker.subscribe(filter, deliver, done));
      return async () => {
        if (broker.closed) return;
        for (const filter of filters)
          await new Promise<void>((done) => broker.unsubscribe(filter, deliver, done));
      };
    },
    connected: () => !closed && !broker.closed,
    async close() {
      closed = true;
    },
  };
}
