import type { Readable } from 'node:stream';

/** No message of a child comes near; one that never ends would fill the memory. */
const LONGEST_LINE = 4_000_000;

/**
 * Calls `onMessage` for each line of JSON, and `onNonsense` for one that is none or too long; nothing is read after
 * that.
 */
export function readJsonLines(
  stream: Readable,
  onMessage: (message: unknown) => void,
  onNonsense: (error: Error) => void,
  longestLine = LONGEST_LINE,
): void {
  let rest = '';
  let done = false;
  const giveUp = (why: string, cause?: unknown) => {
    done = true;
    rest = '';
    onNonsense(new Error(why, { cause }));
  };
  const take = (line: string) => {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch (cause) {
      return giveUp('the child wrote something that is no message', cause);
    }
    onMessage(message);
  };
  // Whoever owns the stream hears of its end.
  stream.on('error', () => undefined);
  stream.setEncoding('utf8').on('data', (text: string) => {
    if (done) return;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (done) return;
      take(line);
    }
    if (rest.length > longestLine) giveUp('the child wrote a message without end');
  });
}
