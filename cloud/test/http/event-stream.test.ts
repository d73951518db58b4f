import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { eventFrame, eventStreamBody } from '../../src/http/event-stream.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';
import { until } from '../support/quiet.ts';

/** A source of frames that a test feeds by hand and that says whether it was ended. */
function source() {
  const waiting: ((frame: IteratorResult<string>) => void)[] = [];
  const state = { pulled: 0, ended: false };
  const frames: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next() {
        state.pulled += 1;
        return new Promise((resolve) => waiting.push(resolve));
      },
      async return() {
        state.ended = true;
        return { done: true, value: undefined };
      },
    }),
  };
  return { frames, state, push: (value: string) => waiting.shift()?.({ done: false, value }) };
}

describe('the body of an event stream', () => {
  it('sends frames as they come and heartbeats while nothing comes', async () => {
    const { frames, push, state } = source();
    const end = new AbortController();
    const body = eventStreamBody(frames, { signal: end.signal, heartbeatMs: 20 });
    let seen = '';
    body.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    await until(() => state.pulled === 1, 'the first pull');
    push(eventFrame({ event: 'state', id: '7', data: { a: 'line\nbreak' } }));
    await until(() => seen.split(': heartbeat\n\n').length > 3, 'three heartbeats');
    expect(seen).toContain(': connected\n\nevent: state\nid: 7\ndata: {"a":"line\\nbreak"}\n\n');
    end.abort();
    await once(body, 'end');
  });

  it('ends its source when the signal is aborted, also while the source waits', async () => {
    const { frames, state } = source();
    const end = new AbortController();
    const body = eventStreamBody(frames, { signal: end.signal }).resume();
    await until(() => state.pulled === 1, 'the first pull');
    end.abort();
    await once(body, 'end');
    expect(state.ended).toBe(true);
  });

  it('pulls no more than the client reads, and gives up on one that reads nothing', async () => {
    let made = 0;
    let ended = false;
    async function* flood() {
      try {
        for (;;) {
          made += 1;
          yield eventFrame({ event: 'state', data: 'x'.repeat(1_000) });
        }
      } finally {
        ended = true;
      }
    }
    const body = eventStreamBody(flood(), { signal: new AbortController().signal, stuckMs: 50 });
    body.read(0);
    await once(body, 'close');
    await until(() => ended, 'the end of the source');
    expect(made).toBeLessThan(40);
  });
});

describe('an event stream over HTTP', () => {
  let world: HttpWorld;
  afterEach(() => world.close());

  async function openStream() {
    const feed = source();
    world = await httpWorld({
      handlers: { events: async () => ({ status: 200, stream: feed.frames }) },
    });
    const { accessToken } = await world.person();
    const abort = new AbortController();
    const response = await fetch(`${world.url}/api/events`, {
      headers: { authorization: `Bearer ${accessToken}`, 'accept-encoding': 'gzip, br' },
      signal: abort.signal,
    });
    return { feed, response, abort };
  }

  it('API-04 is one of twenty at most for one user, and leaves room when it ends', async () => {
    world = await httpWorld({
      handlers: { events: async () => ({ status: 200, stream: source().frames }) },
    });
    const [greedy, other] = [await world.person(), await world.person()];
    const open = async ({ accessToken }: { accessToken: string }) => {
      const abort = new AbortController();
      const headers = { authorization: `Bearer ${accessToken}` };
      const { status } = await fetch(`${world.url}/api/events`, { headers, signal: abort.signal });
      return { status, abort };
    };
    const streams = await Promise.all(Array.from({ length: 20 }, () => open(greedy)));
    expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await open(greedy)).status).toBe(429);
    expect((await open(other)).status).toBe(200);
    streams[0]!.abort.abort();
    await until(async () => (await open(greedy)).status === 200, 'room for another one');
  });

  it('is not counted for a client that left before it was known who asks', async () => {
    world = await httpWorld({
      handlers: { events: async () => ({ status: 200, stream: source().frames }) },
    });
    const { accessToken } = await world.person();
    const release = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const locking = world.database.db.transaction().execute(async (trx) => {
      await sql`lock table users in access exclusive mode`.execute(trx);
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    const waitingFor = async () =>
      Number(
        (
          await sql<{ n: number }>`select count(*) as n from pg_locks where not granted`.execute(
            world.database.db,
          )
        ).rows[0]!.n,
      );
    for (let n = 1; n <= 5; n += 1) {
      const client = connect(world.port, '127.0.0.1');
      client.write(`GET /api/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${accessToken}\r\n\r\n`);
      await until(async () => (await waitingFor()) === n, 'a request that waits for its policy');
      client.destroy();
      await once(client, 'close');
    }
    release.resolve();
    await locking;
    const streams = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const headers = { authorization: `Bearer ${accessToken}` };
        return (await fetch(`${world.url}/api/events`, { headers })).status;
      }),
    );
    expect(streams).not.toContain(429);
  });

  it('answers at once, unchanged by proxies, and ends with the client', async () => {
    const { feed, response, abort } = await openStream();
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toContain('no-transform');
    expect(response.headers.get('content-encoding')).toBeNull();
    const reader = response.body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe(': connected\n\n');
    feed.push('event: state\ndata: 1\n\n');
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('event: state\ndata: 1\n\n');
    abort.abort();
    await until(() => feed.state.ended, 'the end of the source');
  });

  it('ends in an orderly way when the server closes', async () => {
    const { feed, response } = await openStream();
    const rest = response.text();
    const startedAt = performance.now();
    await world.listener.close();
    expect(await rest).toBe(': connected\n\n');
    expect(feed.state.ended).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  it('ends when the access token does', async () => {
    const feed = source();
    world = await httpWorld({ handlers: { events: async () => ({ status: 200, stream: feed.frames }) } });
    const { accessToken } = await world.person();
    const { expiresAt } = (await world.tokens.verify(accessToken))!;
    world.clock.advance(expiresAt - world.clock.now() - 200);
    const response = await fetch(`${world.url}/api/events`, {
      headers: { authorization: `Bearer ${accessToken}` },
    });
    expect(await response.text()).toBe(': connected\n\n');
    expect(feed.state.ended).toBe(true);
  });

  it('answers HEAD without opening a stream', async () => {
    const feed = source();
    world = await httpWorld({ handlers: { events: async () => ({ status: 200, stream: feed.frames }) } });
    const { accessToken } = await world.person();
    const socket = connect(world.port, '127.0.0.1');
    socket.write(
      `HEAD /api/events HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer ${accessToken}\r\n\r\n`,
    );
    expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /);
  });
});
