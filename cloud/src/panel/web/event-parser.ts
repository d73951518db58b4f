/** One server-sent event (HTML Standard, 9.2.6). */
export interface StreamEvent {
  /** `message` when the stream names none. */
  readonly event: string;
  readonly data: string;
}

/** What a stream may leave unfinished; more is not a stream of ours. */
const LONGEST_EVENT = 4 * 1024 * 1024;

/**
 * Parses `text/event-stream` piece by piece: give it text as it arrives, it answers the events that became
 * complete. Comments (heartbeats), `id` and `retry` are read over.
 * @throws {RangeError} when one event exceeds 4 MiB
 */
export function createEventParser(): (chunk: string) => StreamEvent[] {
  let rest = '';
  let event = '';
  let data: string[] = [];
  let afterReturn = false;

  return (chunk) => {
    const complete: StreamEvent[] = [];
    // A line feed that belongs to a carriage return at the end of the piece before.
    rest += afterReturn && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
    if (chunk !== '') afterReturn = chunk.endsWith('\r');
    const lines = rest.split(/\r\n|\n|\r/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0)
          complete.push({ event: event === '' ? 'message' : event, data: data.join('\n') });
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
    }
    if (rest.length + data.reduce((sum, line) => sum + line.length, 0) > LONGEST_EVENT) {
      throw new RangeError('The server sent an event without end.');
    }
    return complete;
  };
}
