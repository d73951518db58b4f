import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ProblemError } from '@ares/protocol';
import Koa from 'koa';
import { expect, it, onTestFinished } from 'vitest';
import { setTextHeaders, textStreamBody } from '../../src/http/text-stream.ts';
import { until } from '../support/quiet.ts';

/** A server that answers each request with the pieces. */
async function serving(pieces: () => AsyncIterable<string>, stuckMs = 60_000) {
  const over = new AbortController();
  const app = new Koa();
  app.on('error', () => undefined);
  app.use(async (ctx) => {
    setTextHeaders(ctx, 'csv', 'all');
    ctx.body = await textStreamBody(pieces(), { signal: over.signal, stuckMs });
  });
  const answer = app.callback();
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, over };
}

/** Endless, and counts what was taken of it. */
function endless() {
  const seen = { pieces: 0, ended: false };
  async function* pieces() {
    try {
      for (;;) {
        seen.pieces += 1;
        yield 'x'.repeat(65_536);
      }
    } finally {
      seen.ended = true;
    }
  }
  return { seen, pieces };
}

it('is a download of its type, with everything in it', async () => {
  const { url } = await serving(async function* () {
    yield 'a\r\n';
    yield 'b\r\n';
  });
  const answer = await fetch(url);
  expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="all.csv"');
  expect(await answer.text()).toBe('a\r\nb\r\n');
});

it('is cut, never ended, when the rest cannot be had', async () => {
  const { url } = await serving(async function* () {
    yield 'a\r\n';
    throw new Error('the database went away');
  });
  const answer = await fetch(url);
  await expect(answer.text()).rejects.toThrow();
});

it('is a problem when not even the beginning can be had', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield* [];
    throw new ProblemError('UNAVAILABLE', 'no');
  }
  await expect(textStreamBody(failing(), { signal: new AbortController().signal })).rejects.toThrow('no');
});

it('takes no more from its source than a client reads, and ends the source when the client goes', async () => {
  const { seen, pieces } = endless();
  const { url } = await serving(pieces);
  const client = new AbortController();
  const answer = await fetch(url, { signal: client.signal });
  let still = -1;
  // Nobody reads: what fits into the buffers of the way is taken, and then nothing more.
  await until(() => {
    const same = seen.pieces === still;
    still = seen.pieces;
    return same && still > 1;
  }, 'the source to stand still');
  expect(seen.pieces).toBeLessThan(400);
  expect(seen.ended).toBe(false);
  client.abort();
  await answer.body?.cancel().catch(() => undefined);
  await until(() => seen.ended, 'the end of the source');
});

it('is cut when the client reads nothing for too long, and when the server closes', async () => {
  const stuck = endless();
  const one = await serving(stuck.pieces, 50);
  const unread = await fetch(one.url);
  await until(() => stuck.seen.ended, 'the end of the stuck one');
  await expect(unread.text()).rejects.toThrow();
  const closing = endless();
  const other = await serving(closing.pieces);
  const answer = await fetch(other.url);
  other.over.abort();
  await expect(answer.text()).rejects.toThrow();
  await until(() => closing.seen.ended, 'the end of the closed one');
});
