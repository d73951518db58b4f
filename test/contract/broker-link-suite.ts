import { deviceRights, topics } from '@ares/protocol';
import { describe, expect, it, onTestFinished } from 'vitest';
import type {
  BrokerLink,
  ConnectOptions,
  LinkErrorCode,
  LinkMessage,
} from '../../agent/src/ports/broker-link.ts';
import { until } from '../../agent/test/support/fake-clock.ts';

export const deviceUuid = '0b9f4e2a-3c5d-4e6f-8a7b-9c0d1e2f3a4b';

/** What the suite needs to know of a broker, fake or real. */
export interface LinkBench {
  readonly link: BrokerLink;
  readonly options: Omit<ConnectOptions, 'onMessage' | 'will' | 'subscribe'>;
  published(): readonly { readonly topic: string; readonly payload: Uint8Array }[];
  deliver(topic: string, payload: string): Promise<void>;
  /** Ends the connection from outside, without a good-bye. */
  cut(): void;
  /** Absent where the broker cannot be made to. */
  readonly refuse?: (code: LinkErrorCode) => void;
}

/** What every link to a broker does; the fake is trusted because it passes too. */
export function describeBrokerLink(
  name: string,
  makeBench: () => Promise<LinkBench>,
  { skip = false, refuses = true } = {},
): void {
  const text = (payload: Uint8Array) => Buffer.from(payload).toString();
  const topic = topics.connectionStatus.build({ deviceUuid });
  const ackTopic = topics.telemetryAck.build({ deviceUuid });
  const connect = async (bench: LinkBench, over: Partial<ConnectOptions> = {}) => {
    const messages: LinkMessage[] = [];
    const connection = await bench.link.connect({
      ...bench.options,
      will: { topic, payload: Buffer.from('gone') },
      subscribe: deviceRights(deviceUuid).subscribe,
      onMessage: (message) => messages.push(message),
      ...over,
    });
    onTestFinished(() => connection.close());
    return { connection, messages };
  };

  describe.skipIf(skip)(name, () => {
    it('publishes bytes as they are', async () => {
      const bench = await makeBench();
      const { connection } = await connect(bench);
      await connection.publish({ topic, payload: Uint8Array.from([0, 255, 10]) });
      await until('it arrived', () => bench.published().length === 1);
      expect([...bench.published()[0]!.payload]).toEqual([0, 255, 10]);
    });

    it('delivers what the device may receive, and nothing else', async () => {
      const bench = await makeBench();
      const { messages } = await connect(bench);
      await bench.deliver(
        topics.telemetryAck.build({ deviceUuid: '11111111-2222-4333-8444-555555555555' }),
        'foreign',
      );
      await bench.deliver(ackTopic, 'own');
      await bench.deliver(topics.systemReset.build({ deviceUuid }), 'reset');
      await until('both arrived', () => messages.length === 2);
      expect(messages.map(({ payload }) => text(payload))).toEqual(['own', 'reset']);
    });

    it('leaves its will when it is cut off, and says that it is closed', async () => {
      const bench = await makeBench();
      const { connection } = await connect(bench);
      bench.cut();
      expect(await connection.closed).toMatchObject({ code: 'CLOSED' });
      await until('the will came', () => bench.published().some(({ payload }) => text(payload) === 'gone'));
    });

    it('leaves no will after a good-bye, and takes nothing more', async () => {
      const bench = await makeBench();
      const { connection } = await connect(bench);
      await connection.close();
      await expect(connection.publish({ topic, payload: Buffer.from('late') })).rejects.toMatchObject({
        code: 'CLOSED',
      });
      expect(bench.published()).toEqual([]);
    });

    it.each(refuses ? (['NOT_AUTHORIZED', 'IDENTIFIER_REJECTED', 'BROKER_UNAVAILABLE'] as const) : [])(
      'says %s when the broker says so, and does not come back by itself',
      async (code) => {
        const bench = await makeBench();
        bench.refuse?.(code);
        await expect(connect(bench)).rejects.toMatchObject({ name: 'LinkError', code });
      },
    );

    it('keeps nothing of a connection for the next one', async () => {
      const bench = await makeBench();
      const first = await connect(bench);
      bench.cut();
      await first.connection.closed;
      await expect(first.connection.publish({ topic, payload: Buffer.from('lost') })).rejects.toThrow();
      const second = await connect(bench);
      await second.connection.publish({ topic, payload: Buffer.from('fresh') });
      await until('it arrived', () => bench.published().some(({ payload }) => text(payload) === 'fresh'));
      expect(bench.published().map(({ payload }) => text(payload))).toEqual(['gone', 'fresh']);
    });

    it('ends an attempt that is aborted', async () => {
      const bench = await makeBench();
      await expect(connect(bench, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CLOSED' });
    });
  });
}
