import { setTimeout as wait } from 'node:timers/promises';
import { fetch } from 'undici';
import { CliError } from './cli-error.ts';
import type { CliSession } from './session.ts';

const AGAIN_MS = 1_000;

/**
 * Data of each server-sent event (WHATWG HTML §9.2) until the signal aborts. The cloud ends a stream with the access
 * token that opened it: then the next one follows.
 */
export async function* readEvents(
  session: CliSession,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  for (;;) {
    yield* readStream(session, path, signal);
    await wait(AGAIN_MS, undefined, { signal });
  }
}

async function* readStream(session: CliSession, path: string, signal: AbortSignal): AsyncGenerator<unknown> {
  const response = await fetch(session.url + path, {
    headers: { ...(await session.freshHeaders()), accept: 'text/event-stream' },
    signal,
  });
  if (response.status !== 200 || response.body === null) {
    throw new CliError(`The cloud answered ${response.status} to the request for events.`);
  }
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const events = rest.split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = event
        .split('\n')
        .flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : []));
      if (data.length > 0) yield JSON.parse(data.join('\n'));
    }
  }
}
