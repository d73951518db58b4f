import { Readable } from 'node:stream';

/** One frame of `text/event-stream` (HTML Standard, 9.2). `data` becomes one line of JSON. */
export function eventFrame(frame: {
  readonly event: string;
  readonly id?: string;
  readonly data: unknown;
}): string {
  const id = frame.id === undefined ? '' : `id: ${frame.id}\n`;
  return `event: ${frame.event}\n${id}data: ${JSON.stringify(frame.data)}\n\n`;
}

const HEARTBEAT_MS = 15_000;
/** A client that reads nothing for so long is gone. */
const STUCK_MS = 60_000;
/** What is buffered here for a client; what it has not read beyond that stays with the producer, which bounds it. */
const BUFFER_BYTES = 16_384;

/**
 * The body of a server-sent-events answer: frames as they come, a comment every 15 s, and an end as soon as
 * `signal` is aborted. The source is pulled only as fast as the client reads.
 */
export function eventStreamBody(frames: AsyncIterable<string>, options: EventStreamOptions): Readable {
  const body: Readable = Readable.from(
    pump(frames, options, () => body.destroy()),
    { objectMode: false, highWaterMark: BUFFER_BYTES },
  );
  return body;
}

export interface EventStreamOptions {
  readonly signal: AbortSignal;
  readonly heartbeatMs?: number;
  readonly stuckMs?: number;
}

async function* pump(
  frames: AsyncIterable<string>,
  { signal, heartbeatMs = HEARTBEAT_MS, stuckMs = STUCK_MS }: EventStreamOptions,
  giveUp: () => void,
): AsyncGenerator<string> {
  const iterator = frames[Symbol.asyncIterator]();
  const patiently = function* (text: string) {
    const timer = setTimeout(giveUp, stuckMs);
    try {
      yield text;
    } finally {
      clearTimeout(timer);
    }
  };
  let next = iterator.next();
  try {
    // Sends the headers at once, so that the client knows that it is connected.
    yield* patiently(': connected\n\n');
    while (!signal.aborted) {
      const arrived = await first(next, heartbeatMs, signal);
      if (arrived === 'over') return;
      if (arrived === 'quiet') {
        yield* patiently(': heartbeat\n\n');
        continue;
      }
      if (arrived.done) return;
      next = iterator.next();
      yield* patiently(arrived.value);
    }
  } finally {
    next.catch(() => undefined);
    // Not awaited: a producer that waits for its next event must not hold up the end.
    iterator.return?.().catch(() => undefined);
  }
}

function first(
  next: Promise<IteratorResult<string>>,
  heartbeatMs: number,
  over: AbortSignal,
): Promise<IteratorResult<string> | 'quiet' | 'over'> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => resolve('quiet')), heartbeatMs);
    const ended = () => settle(() => resolve('over'));
    const settle = (then: () => void) => {
      clearTimeout(timer);
      over.removeEventListener('abort', ended);
      then();
    };
    if (over.aborted) ended();
    else over.addEventListener('abort', ended);
    next.then(
      (result) => settle(() => resolve(result)),
      (error: unknown) => settle(() => reject(error as Error)),
    );
  });
}
