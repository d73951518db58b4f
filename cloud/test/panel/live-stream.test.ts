import { describe, expect, it, vi } from 'vitest';
import { type Link, openLiveStream, SILENCE_MS, type StreamFetch } from '../../src/panel/web/live-stream.ts';

/** A clock that moves only when told. */
function fakeTimers() {
  let now = 0;
  const waiting = new Set<{ at: number; then: () => void }>();
  return {
    now: () => now,
    after(ms: number, then: () => void) {
      const timer = { at: now + ms, then };
      waiting.add(timer);
      return () => void waiting.delete(timer);
    },
    async advance(ms: number) {
      now += ms;
      for (const timer of [...waiting].filter(({ at }) => at <= now)) {
        waiting.delete(timer);
        timer.then();
      }
      await settle();
    },
  };
}
const settle = () => new Promise((done) => setImmediate(done));

type Opened = Parameters<StreamFetch>[1] & {
  send(text: string): Promise<void>;
  end(): Promise<void>;
};

function start(status: () => number = () => 200, retryAfter: string | null = null, planned = false) {
  const timers = fakeTimers();
  const opened: Opened[] = [];
  const links: Link[] = [];
  const events: string[] = [];
  const onUnauthorized = vi.fn();
  const fetch: StreamFetch = async (_, init) => {
    const pipe = new TransformStream<Uint8Array, Uint8Array>();
    const writer = pipe.writable.getWriter();
    init.signal.addEventListener(
      'abort',
      () => void writer.abort(new Error('aborted')).catch(() => undefined),
    );
    opened.push({
      ...init,
      async send(text) {
        void writer.write(new TextEncoder().encode(text)).catch(() => undefined);
        await settle();
      },
      async end() {
        void writer.close().catch(() => undefined);
        await settle();
      },
    });
    return { status: status(), headers: { get: () => retryAfter }, body: pipe.readable };
  };
  const stream = openLiveStream({
    fetch,
    url: '/api/events',
    isPlannedEnd: () => planned,
    timers,
    random: () => 1,
    onEvent: ({ data }) => events.push(data),
    onLink: (link) => links.push(link),
    onUnauthorized,
  });
  return { timers, opened, links, events, onUnauthorized, stream };
}

describe('the live stream', () => {
  it('hands over what arrives', async () => {
    const { opened, events, links, stream } = start();
    await settle();
    expect(opened[0]?.headers).toEqual({ accept: 'text/event-stream' });
    await opened[0]?.send('data: 1\n\nda');
    await opened[0]?.send('ta: 2\n\n');
    expect(events).toEqual(['1', '2']);
    expect(links.map(({ phase }) => phase)).toEqual(['connecting', 'live']);
    stream.stop();
  });

  it('says why it waits, and waits longer from failure to failure up to half a minute', async () => {
    const { timers, links, stream } = start(() => 503);
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      await settle();
      const link = links.at(-1);
      if (link?.phase !== 'waiting') throw new Error(`expected to wait, is ${link?.phase}`);
      expect(link.why).toBe('The server answered 503.');
      waits.push(link.retryAt - timers.now());
      await timers.advance(link.retryAt - timers.now());
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    stream.stop();
  });

  it('obeys Retry-After', async () => {
    const { timers, links, stream } = start(() => 503, '60');
    await settle();
    expect(links.at(-1)).toMatchObject({ phase: 'waiting', retryAt: timers.now() + 60_000 });
    stream.stop();
  });

  it('starts with a short wait again after a connection that held', async () => {
    const { timers, opened, links, stream } = start();
    await settle();
    await timers.advance(6_000);
    await opened[0]?.end();
    expect(links.at(-1)).toMatchObject({ phase: 'waiting', retryAt: 7_000 });
    await timers.advance(1_000);
    expect(opened).toHaveLength(2);
    stream.stop();
  });

  it('follows at once when the connection was to end, and waits where it then fails', async () => {
    const { timers, opened, links, stream } = start(() => 200, null, true);
    await settle();
    await timers.advance(6_000);
    await opened[0]?.end();
    expect(opened).toHaveLength(2);
    expect(links.map(({ phase }) => phase)).toEqual(['connecting', 'live', 'connecting', 'live']);
    await opened[1]?.end();
    expect(links.at(-1)?.phase).toBe('waiting');
    stream.stop();
  });

  it('gives up a connection that went silent, but not one with heartbeats', async () => {
    const { timers, opened, links, stream } = start();
    await settle();
    for (let i = 0; i < 4; i++) {
      await timers.advance(15_000);
      await opened[0]?.send(': heartbeat\n\n');
    }
    expect(opened).toHaveLength(1);
    await timers.advance(SILENCE_MS);
    expect(links.at(-1)).toMatchObject({ phase: 'waiting', why: 'The server has gone silent.' });
    expect(opened[0]?.signal.aborted).toBe(true);
    stream.stop();
  });

  it('tries at once when nudged while waiting', async () => {
    const { opened, stream } = start(() => 503);
    await settle();
    stream.nudge();
    await settle();
    expect(opened).toHaveLength(2);
    stream.stop();
  });

  it('ends for good when the token is refused', async () => {
    const { timers, opened, onUnauthorized } = start(() => 401);
    await settle();
    await timers.advance(600_000);
    expect(onUnauthorized).toHaveBeenCalledOnce();
    expect(opened).toHaveLength(1);
  });

  it('hands nothing over after it was stopped', async () => {
    const { opened, events, links, stream } = start();
    await settle();
    stream.stop();
    const before = links.length;
    await opened[0]?.send('data: late\n\n');
    expect(events).toEqual([]);
    expect(links).toHaveLength(before);
  });
});
