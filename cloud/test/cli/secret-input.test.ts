import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openSecretInput } from '../../src/cli/commands/secret-input.ts';

const { signal } = new AbortController();
const from = (text: string, env = {}) => {
  const input = new PassThrough();
  input.end(text);
  return openSecretInput({ env, input, signal });
};

describe('the password of a Wi-Fi', () => {
  it('SEC-02 is the first line of standard input, spaces and all', async () => {
    const both = from('  tomatoes and $(basil) \nnext\n');
    expect(await both.wifiPassword('greenhouse')).toBe('  tomatoes and $(basil) ');
    expect(await from('no newline').wifiPassword('greenhouse')).toBe('no newline');
  });

  it('comes from the environment where a program set it', async () => {
    const secrets = from('', { ARES_WIFI_PASSWORD: 'tomatoes' });
    expect(await secrets.wifiPassword('greenhouse')).toBe('tomatoes');
  });

  it('that is not given says what to do', async () => {
    await expect(from('').wifiPassword('greenhouse')).rejects.toThrow('--open');
  });
});

describe('the setup code of a device', () => {
  it('SEC-02 is read before the password of the Wi-Fi, both from standard input', async () => {
    const both = from(' ABCD-EFGH \nbasil\n');
    expect(await both.setupCode()).toBe('ABCD-EFGH');
    expect(await both.wifiPassword('greenhouse')).toBe('basil');
    await expect(both.setupCode()).rejects.toThrow('label');
  });

  it('comes from the environment where a program set it', async () => {
    expect(await from('', { ARES_SETUP_CODE: 'ARES:1:x' }).setupCode()).toBe('ARES:1:x');
  });

  it('SEC-02 is refused as an argument, which other users can read', () => {
    const home = mkdtempSync(join(tmpdir(), 'ares-cli-'));
    const main = join(import.meta.dirname, '../../src/cli/main.ts');
    const pair = (code: string) =>
      spawnSync(
        process.execPath,
        ['--conditions=@ares/source', main, 'pair', '--setup-code', code, '--keep-network'],
        { env: { ...process.env, ARES_HOME: home }, input: '', encoding: 'utf8' },
      ).stderr;
    expect(pair('ABCD')).toContain('ARES_SETUP_CODE');
    expect(pair('ABCD')).not.toContain('ABCD');
    expect(pair('-')).toContain('There was no setup code');
    rmSync(home, { recursive: true });
  });
});
