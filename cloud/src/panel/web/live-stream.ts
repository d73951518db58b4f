import { createEventParser, type StreamEvent } from './event-parser.ts';

/** How the live connection stands. Times in epoch ms. */
export type Link =
  | { readonly phase: 'connecting' }
  | { readonly phase: 'live' }
  | { readonly phase: 'waiting'; readonly why: string; readonly retryAt: number };

/** The part of `fetch` that a stream needs; it adds who asks. */
export type StreamFetch = (
  url: string,
  init: { headers: Record<string, string>; signal: AbortSignal; cache: 'no-store' },
) => Promise<{
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: {
    getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> };
  } | null;
}>;

export interface Timers {
  now(): number;
  /** Runs `then` after `ms`; the answer takes it back. */
  after(ms: number, then: () => void): () => void;
}

export interface LiveStreamPorts {
  readonly fetch: StreamFetch;
  readonly url: string;
  /** Whether the connection was to end now, with the token that opened it: then the next one follows at once. */
  readonly isPlannedEnd?: () => boolean;
  readonly timers: Timers;
  /** 0 ≤ n < 1, spreads the reconnects of many browsers. */
  readonly random: () => number;
  readonly onEvent: (event: StreamEvent) => void;
  readonly onLink: (link: Link) => void;
  /** The server does not accept the token (any more). The stream has ended. */
  readonly onUnauthorized: () => void;
}

export interface LiveStream {
  /** Looks at once whether the connection is still good: after sleep, after the network came back. */
  nudge(): void;
  stop(): void;
}

/** The server sends a heartbeat every 15 s; two missed ones mean that the connection is gone. */
export const SILENCE_MS = 40_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** A connection that held so long was a good one: the next wait is short again. */
const GOOD_AFTER_MS = 5_000;

/**
 * One stream of events for the whole page, kept open: read with fetch, as `EventSource` cannot send the
 * Authorization header and a token in the URL would end up in logs. Reconnects with jittered, growing waits.
 */
export function openLiveStream(ports: LiveStreamPorts): LiveStream {
  const { timers, onLink } = ports;
  let stopped = false;
  let failures = 0;
  let heardAt = timers.now();
  let current: AbortController | undefined;
  let wake: (() => void) | undefined;

  const run = async () => {
    while (!stopped) {
      onLink({ phase: 'connecting' });
      const openedAt = timers.now();
      const { why, retryAfterMs } = await readOnce();
      if (stopped) return;
      if (timers.now() - openedAt >= GOOD_AFTER_MS && ports.isPlannedEnd?.() === true) continue;
      failures = timers.now() - openedAt >= GOOD_AFTER_MS ? 1 : failures + 1;
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10));
      const waitMs = Math.max(retryAfterMs, wait * (0.5 + ports.random() / 2));
      onLink({ phase: 'waiting', why, retryAt: timers.now() + waitMs });
      await new Promise<void>((resolve) => {
        const cancel = timers.after(waitMs, resolve);
        wake = () => {
          cancel();
          resolve();
        };
      });
      wake = undefined;
    }
  };

  /** Reads until the stream ends, in whatever way; answers why. */
  const readOnce = async (): Promise<{ why: string; retryAfterMs: number }> => {
    const abort = new AbortController();
    current = abort;
    heardAt = timers.now();
    let silent = false;
    const giveUp = () => {
      silent = true;
      abort.abort();
    };
    let cancelWatch = timers.after(SILENCE_MS, giveUp);
    const heard = () => {
      heardAt = timers.now();
      cancelWatch();
      cancelWatch = timers.after(SILENCE_MS, giveUp);
    };
    try {
      const response = await ports.fetch(ports.url, {
        headers: { accept: 'text/event-stream' },
        signal: abort.signal,
        cache: 'no-store',
      });
      if (response.status === 401) {
        stop();
        ports.onUnauthorized();
        return { why: 'Signed out.', retryAfterMs: 0 };
      }
      if (response.status !== 200 || response.body === null) {
        const seconds = Number(response.headers.get('retry-after'));
        return {
          why: `The server answered ${response.status}.`,
          retryAfterMs: Number.isFinite(seconds) ? Math.min(seconds * 1_000, 300_000) : 0,
        };
      }
      onLink({ phase: 'live' });
      const parse = createEventParser();
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return { why: 'The server ended the connection.', retryAfterMs: 0 };
        heard();
        for (const event of parse(decoder.decode(value, { stream: true }))) {
          if (!stopped) ports.onEvent(event);
        }
      }
    } catch (error) {
      if (silent) return { why: 'The server has gone silent.', retryAfterMs: 0 };
      const words = error instanceof RangeError ? error.message : 'The server cannot be reached.';
      return { why: words, retryAfterMs: 0 };
    } finally {
      cancelWatch();
      abort.abort();
    }
  };

  const stop = () => {
    stopped = true;
    current?.abort();
    wake?.();
  };

  void run();
  return {
    nudge() {
      if (wake !== undefined) wake();
      else if (timers.now() - heardAt > SILENCE_MS) current?.abort();
    },
    stop,
  };
}
