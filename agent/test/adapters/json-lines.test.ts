import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readJsonLines } from '../../src/adapters/json-lines.ts';

function read(...chunks: readonly Buffer[]) {
  const stream = new PassThrough();
  const messages: unknown[] = [];
  const nonsense: string[] = [];
  readJsonLines(
    stream,
    (message) => messages.push(message),
    (error) => nonsense.push(error.message),
    1_000,
  );
  return new Promise<{ messages: unknown[]; nonsense: string[] }>((resolve) => {
    stream.on('end', () => resolve({ messages, nonsense }));
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
  });
}

describe('what a child says', () => {
  it('is a message a line, however it is cut', async () => {
    const bytes = Buffer.from('{"a":"ü"}\n[1]\n');
    const cut = [...bytes].map((byte) => Buffer.from([byte]));
    expect((await read(...cut)).messages).toEqual([{ a: 'ü' }, [1]]);
    expect((await read(bytes)).messages).toEqual([{ a: 'ü' }, [1]]);
  });

  it('is nonsense once, and nothing after it is heard', async () => {
    expect(await read(Buffer.from('1\n{\n2\n{\n'))).toMatchObject({
      messages: [1],
      nonsense: [expect.stringContaining('no message')],
    });
  });

  it('fills no memory by a line without end', async () => {
    const endless = Array.from({ length: 50 }, () => Buffer.alloc(100, 'x'));
    expect(await read(...endless, Buffer.from('\n1\n'))).toMatchObject({
      messages: [],
      nonsense: [expect.stringContaining('without end')],
    });
  });
});
