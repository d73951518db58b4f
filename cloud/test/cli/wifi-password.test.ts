import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readWifiPassword } from '../../src/cli/commands/wifi-password.ts';

const { signal } = new AbortController();
const from = (text: string) => {
  const input = new PassThrough();
  input.end(text);
  return input;
};

describe('the password of a Wi-Fi', () => {
  it('SEC-02 is the first line of standard input, spaces and all', async () => {
    const input = from('  tomatoes and $(basil) \nnext\n');
    expect(await readWifiPassword('greenhouse', { env: {}, input, signal })).toBe('  tomatoes and $(basil) ');
    expect(await readWifiPassword('greenhouse', { env: {}, input: from('no newline'), signal })).toBe(
      'no newline',
    );
  });

  it('comes from the environment where a program set it', async () => {
    const env = { ARES_WIFI_PASSWORD: 'tomatoes' };
    expect(await readWifiPassword('greenhouse', { env, input: from(''), signal })).toBe('tomatoes');
  });

  it('that is not given says what to do', async () => {
    await expect(readWifiPassword('greenhouse', { env: {}, input: from(''), signal })).rejects.toThrow(
      '--open',
    );
  });
});
