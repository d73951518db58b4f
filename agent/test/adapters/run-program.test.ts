import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createProgramRunner } from '../../src/adapters/run-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'ares-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = createProgramRunner({ scratchDir: folder });
const timeoutMs = 10_000;

describe('a program of the system', () => {
  it('BLE-10 gets its arguments literally', async () => {
    const odd = ['$(id)', '`id`', '; id', '"', "'", ' a  b ', '', '*', '\\n'];
    const { code, stdout } = await run('printf', ['%s\n', ...odd], { timeoutMs });
    expect([code, stdout]).toEqual([0, `${odd.join('\n')}\n`]);
  });

  it('SEC-02 opens its secret anew as /dev/stdin, of which no name is left meanwhile', async () => {
    const secretInput = 'canary-5f1e\n';
    const script = 'cat /dev/stdin; ls -A "$1"; tr "\\0" " " </proc/self/cmdline; cat /proc/self/environ';
    const { stdout } = await run('sh', ['-c', script, 'sh', folder], { timeoutMs, secretInput });
    expect(stdout.startsWith(secretInput)).toBe(true);
    expect(stdout.slice(secretInput.length)).not.toContain('canary');
    expect(stdout).not.toContain('.input-');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('that is not installed ends as a shell says it', async () => {
    expect((await run('no-such-program-of-ares', [], { timeoutMs })).code).toBe(127);
  });

  it('that hangs is ended', async () => {
    expect((await run('sleep', ['60'], { timeoutMs: 50 })).code).toBe(124);
    await expect(run('sleep', ['60'], { timeoutMs, signal: AbortSignal.timeout(50) })).rejects.toThrow();
  });
});
