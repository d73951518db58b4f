import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@ares/protocol/http';
import { fetch } from 'undici';
import { afterAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/ares-process.ts';
import { root } from '../support/repository.ts';

const home = join(mkdtempSync(join(tmpdir(), 'ares-dev-')), 'home');
const port = await freePort();
const url = `http://127.0.0.1:${port}`;

/** As `deploy/dev-…` does it, without npm's own second. */
function dev(command: string): Promise<{ status: number | null; output: string }> {
  const args = ['--conditions=@ares/source', join(root, 'deploy/dev/main.ts'), command];
  const env = { ...process.env, ARES_DEV_HOME: home, PORT: String(port) };
  const child = spawn(process.execPath, args, { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, output })));
}

describe('the processes of a deployment without Docker', () => {
  afterAll(async () => {
    await dev('stop');
    rmSync(home, { recursive: true, force: true });
  });

  it('say what to do before they are made', async () => {
    expect(await dev('start')).toMatchObject({
      status: 1,
      output: expect.stringContaining('deploy/dev-init'),
    });
  });

  it('start, are ready, and keep accounts and data over a stop', async () => {
    expect(await dev('init')).toMatchObject({ status: 0 });
    const started = await dev('start');
    expect(started.status, started.output).toBe(0);
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ status: 'ok' });
    const signIn = async () => {
      const saved = JSON.parse(readFileSync(join(home, 'credentials.json'), 'utf8')) as {
        owner: { email: string; password: string };
      };
      return createClient({ baseUrl: url, fetch }).login({ body: saved.owner });
    };
    const { user } = await signIn();

    expect((await dev('start')).output).not.toMatch(/ started$/m);
    const stopped = await dev('stop');
    expect(stopped.status, stopped.output).toBe(0);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    expect((await dev('status')).output).not.toMatch(/ ready /);
    expect(existsSync(join(home, 'run/api.pid'))).toBe(false);

    const again = await dev('start');
    expect(again.status, again.output).toBe(0);
    expect((await signIn()).user.userId).toBe(user.userId);
  });
});
