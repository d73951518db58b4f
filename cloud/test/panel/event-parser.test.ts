import { describe, expect, it } from 'vitest';
import { eventFrame } from '../../src/http/event-stream.ts';
import { createEventParser } from '../../src/panel/web/event-parser.ts';

const parseAll = (chunks: readonly string[]) => {
  const parse = createEventParser();
  return chunks.flatMap((chunk) => parse(chunk));
};

describe('the stream of events', () => {
  it('gives what the cloud writes, cut at any place', () => {
    const text = eventFrame({ event: 'state', id: '7', data: { name: 'Ä\n"' } });
    for (let cut = 0; cut <= text.length; cut++) {
      expect(parseAll([text.slice(0, cut), text.slice(cut)])).toEqual([
        { event: 'state', data: '{"name":"Ä\\n\\""}' },
      ]);
    }
  });

  it('knows all three line ends, several data lines and lines without a colon', () => {
    const expected = [{ event: 'message', data: 'a\nb\n' }];
    for (const end of ['\n', '\r\n', '\r']) {
      const text = ['data: a', 'data:b', 'data', '', ''].join(end);
      expect(parseAll([text, ':\n'])).toEqual(expected);
      expect(parseAll([...text, ':\n'])).toEqual(expected);
    }
  });

  it('reads over comments, ids and events without data', () => {
    expect(parseAll([': connected\n\n', 'event: x\nid: 1\n\n', ': heartbeat\n\n'])).toEqual([]);
  });

  it('does not carry the name of an event to the next', () => {
    expect(parseAll(['event: state\ndata: 1\n\ndata: 2\n\n'])).toEqual([
      { event: 'state', data: '1' },
      { event: 'message', data: '2' },
    ]);
  });

  it('refuses an event without end', () => {
    const parse = createEventParser();
    const megabyte = 'x'.repeat(1024 * 1024);
    expect(() => {
      for (let i = 0; i < 5; i++) parse(`data: ${megabyte}\n`);
    }).toThrow(RangeError);
  });
});
