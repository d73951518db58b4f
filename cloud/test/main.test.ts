import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from './support/quiet.ts';

const program = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const running = new Set<ChildProcess>();
let home: string;
let port: number;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'ares-main-'));
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  port = (probe.address() as { port: number }).port;
  probe.close();
  await once(probe, 'close');
});
afterEach(async () => {
  for (const child of running) {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  rmSync(home, { recursive: true, force: true });
});

function start(environment: Record<string, string> = {}, role = 'all') {
  const child = spawn(process.execPath, ['--conditions=@ares/source', program, role], {
    env: { PATH: process.env['PATH'], ARES_HOME: home, PORT: String(port), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const exited = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return {
    child,
    exited,
    complaint: () => complaint.trim(),
    ready: () =>
      until(() => output.includes('"ready"') || child.exitCode !== null, `ready: ${complaint}`, 15_000),
  };
}
const health = async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).status;

describe('the whole cloud in one process', () => {
  it('starts, ends with exit 0 within 5 s however many signals come, and starts again as it was', async () => {
    const first = start();
    await first.ready();
    expect(await health()).toBe(200);
    const ports = readFileSync(join(home, 'cloud', 'ports.json'), 'utf8');
    const trust = readFileSync(join(home, 'cloud', 'trust.json'), 'utf8');
    const startedAt = performance.now();
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM', 'SIGINT'] as const) first.child.kill(signal);
    expect(await first.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(first.complaint()).toBe('');

    const again = start();
    await again.ready();
    expect(await health()).toBe(200);
    expect(readFileSync(join(home, 'cloud', 'ports.json'), 'utf8')).toBe(ports);
    expect(readFileSync(join(home, 'cloud', 'trust.json'), 'utf8')).toBe(trust);
    again.child.kill('SIGTERM');
    expect(await again.exited).toBe(0);
  });

  it('ends with exit 0 when it is told so while it starts', async () => {
    const { child, exited } = start();
    await until(() => child.pid, 'the process');
    await new Promise((next) => setTimeout(next, 400));
    child.kill('SIGTERM');
    expect([0, null]).toContain(await exited);
  });

  it('goes on when its database is killed', async () => {
    const cloud = start();
    await cloud.ready();
    const pidFile = join(home, 'cloud', 'database', 'data', 'postmaster.pid');
    process.kill(Number(readFileSync(pidFile, 'utf8').split('\n')[0]), 'SIGKILL');
    await until(async () => (await health()) === 503, 'the loss', 5_000);
    await until(async () => (await health()) === 200, 'the return', 15_000);
    cloud.child.kill('SIGTERM');
    expect(await cloud.exited).toBe(0);
  });

  it('leaves a second one outside, and itself unharmed', async () => {
    const first = start();
    await first.ready();
    const samePort = start();
    expect(await samePort.exited).toBe(1);
    expect(samePort.complaint()).toMatch(new RegExp(`^Port ${port} .* is taken by another program.*$`));
    const otherPort = start({ PORT: String(port + 1) });
    expect(await otherPort.exited).toBe(1);
    expect(otherPort.complaint()).toMatch(/^Port \d+ .*\(devices\) is taken.*$/);
    expect(await health()).toBe(200);
  });
});

describe('refusing to start, in one line with exit 1', () => {
  it.each([
    [
      'a configuration with mistakes',
      { PORT: 'x', ARES_LOG_LEVEL: 'y' },
      'all',
      /PORT must.*\n.*ARES_LOG_LEVEL/,
    ],
    ['a role that does not exist', {}, 'cook', /there is no role "cook"/],
    ['a role alone without a database', {}, 'api', /DATABASE_URL is needed/],
    [
      'a home that cannot be made',
      { ARES_HOME: '/dev/null/x' },
      'all',
      /file where a folder is needed|may not write/,
    ],
  ])('%s', async (_, environment, role, words) => {
    const { exited, complaint } = start(environment as Record<string, string>, role);
    expect(await exited).toBe(1);
    expect(complaint()).toMatch(words);
  });

  it('a damaged file of ports, which it leaves as it is', async () => {
    const first = start();
    await first.ready();
    first.child.kill('SIGTERM');
    await first.exited;
    writeFileSync(join(home, 'cloud', 'ports.json'), '{');
    const { exited, complaint } = start();
    expect(await exited).toBe(1);
    expect(complaint()).toMatch(/^.*ports\.json is damaged\..*$/);
    expect(readFileSync(join(home, 'cloud', 'ports.json'), 'utf8')).toBe('{');
  });

  it('a key that is gone, before anything is made anew', async () => {
    const first = start();
    await first.ready();
    first.child.kill('SIGTERM');
    await first.exited;
    rmSync(join(home, 'cloud', 'secrets', 'key-encryption-key'));
    const { exited, complaint } = start();
    expect(await exited).toBe(1);
    expect(complaint()).toMatch(/^.*the key that opens them is missing.*$/);
  });
});
