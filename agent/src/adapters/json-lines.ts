import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Calls `onMessage` for each line of JSON, and `onNonsense` for one that is none. */
export function readJsonLines(
  stream: Readable,
  onMessage: (message: unknown) => void,
  onNonsense: (error: Error) => void,
): void {
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch (cause) {
      return onNonsense(new Error('the child wrote something that is no message', { cause }));
    }
    onMessage(message);
  });
  // Whoever owns the stream hears of its end.
  lines.on('error', () => {});
}
