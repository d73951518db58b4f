import { randomUUID } from 'node:crypto';
import { topics } from '@ares/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { pushStateToApps } from '../../src/apps/state-pushes.ts';
import type { MessageHandler } from '../../src/ports/broker-link.ts';
import type { LiveState } from '../../src/state/live-state.ts';
import { fakeClock, silentLogger, until } from '../support/quiet.ts';

const EVERY_MS = 40;
let close: () => Promise<void>;
afterEach(() => close());

async function world() {
  const clock = fakeClock();
  const pushed: { topic: string; payload: string; at: number }[] = [];
  const viewers = new Set(['ada@example.org']);
  const groups: (string | undefined)[] = [];
  let hear: MessageHandler = () => undefined;
  let changed: (deviceUuid: string) => void = () => undefined;
  let made = 0;
  const looks = { all: 0, now: 0, most: 0 };
  close = await pushStateToApps({
    link: {
      publish: async (topic, payload) =>
        void pushed.push({ topic, payload: payload as string, at: performance.now() }),
      subscribe: async (_filters, handler, options) => {
        hear = handler;
        groups.push(options?.group);
        return async () => undefined;
      },
      connected: () => true,
      close: async () => undefined,
    },
    state: {
      document: async (deviceUuid) => {
        made += 1;
        return { deviceUuid, made } as unknown as Awaited<ReturnType<LiveState['document']>>;
      },
      onChange: (listener) => {
        changed = listener;
        return () => undefined;
      },
    },
    async viewersOf() {
      looks.all += 1;
      looks.now += 1;
      looks.most = Math.max(looks.most, looks.now);
      await new Promise((next) => setImmediate(next));
      looks.now -= 1;
      return viewers;
    },
    clock,
    log: silentLogger,
    group: 'api-secret',
    everyMs: EVERY_MS,
  });
  const deviceUuid = randomUUID() as string;
  return {
    clock,
    pushed,
    viewers,
    groups,
    deviceUuid,
    documents: () => made,
    looks,
    ask: (userEmail: string, of = deviceUuid) =>
      hear(topics.requestState.build({ userEmail, deviceUuid: of }), new Uint8Array()),
    hear: (topic: string) => hear(topic, new Uint8Array()),
    change: () => changed(deviceUuid),
  };
}
const settle = () => new Promise((next) => setTimeout(next, 3 * EVERY_MS));

describe('state for apps', () => {
  it('is answered whole, under the e-mail of who asked, by one of the API processes', async () => {
    const { ask, pushed, deviceUuid, groups } = await world();
    ask('ada@example.org');
    await until(() => pushed.length > 0, 'the answer');
    const topic = topics.clientState.build({ userEmail: 'ada@example.org', deviceUuid });
    expect(pushed).toMatchObject([{ topic }]);
    expect(JSON.parse(pushed[0]!.payload)).toMatchObject({ deviceUuid });
    expect(groups).toEqual(['api-secret']);
  });

  it('is not told to who may not see the device, nor any more when the right ended', async () => {
    const { ask, change, pushed, viewers } = await world();
    ask('eve@example.org');
    await settle();
    expect(pushed).toEqual([]);
    ask('ada@example.org');
    await until(() => pushed.length === 1, 'the answer');
    viewers.clear();
    change();
    await settle();
    viewers.add('ada@example.org');
    change();
    await settle();
    expect(pushed).toHaveLength(1);
  });

  it('of 5,000 devices that are not his is not made for who asks, and the database is asked little by little', async () => {
    const { ask, looks, documents, pushed } = await world();
    for (let i = 0; i < 5_000; i++) ask('eve@example.org', randomUUID());
    ask('ada@example.org');
    await until(() => pushed.length === 1, 'the answer to somebody else');
    expect(looks.most).toBeLessThanOrEqual(8);
    expect(looks.all).toBeLessThanOrEqual(1_002);
    expect(documents()).toBe(1);
    ask('ada@example.org', randomUUID());
    await until(() => pushed.length === 2, 'another answer');
  });

  it('is pushed at each change, but one document a device and second, the newest last', async () => {
    const { ask, change, pushed, documents } = await world();
    ask('ada@example.org');
    const from = performance.now();
    for (let i = 0; i < 40; i++) {
      change();
      await new Promise((next) => setTimeout(next, 5));
    }
    await settle();
    const took = performance.now() - from;
    expect(pushed.length).toBeGreaterThan(2);
    expect(pushed.length).toBeLessThanOrEqual(took / EVERY_MS + 1);
    expect(JSON.parse(pushed.at(-1)!.payload).made).toBe(documents());
  });

  it('ends ten minutes after the last question', async () => {
    const { ask, change, clock, pushed } = await world();
    ask('ada@example.org');
    await until(() => pushed.length === 1, 'the answer');
    clock.advance(599_000);
    await settle();
    change();
    await until(() => pushed.length === 2, 'a change');
    clock.advance(2_000);
    await settle();
    change();
    await settle();
    expect(pushed).toHaveLength(2);
  });

  it('is not made for topics that are no question, nor for changes that nobody asked about', async () => {
    const { hear, change, documents } = await world();
    hear('client/request_state/ada@example.org/no-device');
    hear('client/request_state/ada@example.org');
    change();
    await settle();
    expect(documents()).toBe(0);
  });
});
