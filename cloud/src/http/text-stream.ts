import { Readable } from 'node:stream';
import { type Streamable, type TextFormat, textFormats } from '@ares/protocol/http';
import type { Context } from 'koa';

/** A client that reads nothing for so long is gone. */
const STUCK_MS = 60_000;

/** JSON, unless the client asks for one of the streamed formats by `format` in the query, or else by `Accept`. */
export function wantedFormat(ctx: Context, streamable: Streamable, query: unknown): 'json' | TextFormat {
  const { format } = query as { format?: 'json' | TextFormat };
  if (format !== undefined) return format;
  const accepted = ctx.accepts(['application/json', ...streamable.text.map((one) => textFormats[one])]);
  return streamable.text.find((one) => textFormats[one] === accepted) ?? 'json';
}

/**
 * The body of an answer of streamed text, pulled only as fast as the client reads. The first piece is awaited, so
 * that what fails at once is answered as a problem; a later failure, or the end of the server, cuts the connection:
 * half of the text must not look like all of it.
 */
export async function textStreamBody(
  pieces: AsyncIterable<string>,
  options: { readonly signal: AbortSignal; readonly stuckMs?: number },
): Promise<Readable> {
  const { signal, stuckMs = STUCK_MS } = options;
  const source = pieces[Symbol.asyncIterator]();
  const first = await source.next();
  const body: Readable = Readable.from(
    pump(source, first, stuckMs, () => cut('the client reads nothing')),
    { objectMode: false },
  );
  const cut = (why: string) => body.destroy(new Error(`An answer was cut: ${why}.`));
  const aborted = () => cut('the request ended');
  if (signal.aborted) aborted();
  else signal.addEventListener('abort', aborted, { once: true });
  body.once('close', () => {
    signal.removeEventListener('abort', aborted);
    // A body that was cut before anybody read of it has not begun its source's end.
    source.return?.().catch(() => undefined);
  });
  return body;
}

async function* pump(
  source: AsyncIterator<string>,
  first: IteratorResult<string>,
  stuckMs: number,
  giveUp: () => void,
): AsyncGenerator<string> {
  for (let next = first; !next.done; next = await source.next()) {
    const timer = setTimeout(giveUp, stuckMs);
    try {
      yield next.value;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Headers of a download in one of the formats. */
export function setTextHeaders(ctx: Context, format: TextFormat, fileName: string): void {
  ctx.set('content-type', `${textFormats[format]}; charset=utf-8`);
  ctx.set('content-disposition', `attachment; filename="${fileName}.${format}"`);
  ctx.vary('Accept');
  // Nginx would keep it in files of its own.
  ctx.set('x-accel-buffering', 'no');
}
