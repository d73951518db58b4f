import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ares, eventually, freePort, temporaryHome } from '../support/ares-process.ts';
import { root } from '../support/repository.ts';

const running = new Set<ChildProcess>();
const homes: ReturnType<typeof temporaryHome>[] = [];
const newHome = () => {
  const home = temporaryHome();
  homes.push(home);
  return home.path;
};
let port: number;
/** One installation for all tests that leave it as they found it: making a database takes its time. */
let home: string;

beforeAll(async () => {
  home = newHome();
  port = await freePort();
});
afterEach(async () => {
  for (const child of running) {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});
afterAll(() => {
  for (const one of homes) one.remove();
});

/** `cloud/src/main.ts`, the cloud without the demonstration around it. */
function start(environment: Record<string, string> = {}, role = 'all') {
  const child = spawn(
    process.execPath,
    ['--conditions=@ares/source', join(root, 'cloud/src/main.ts'), role],
    {
      env: { PATH: process.env['PATH'], ARES_HOME: home, PORT: String(port), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  running.add(child);
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const exited = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return {
    child,
    exited,
    complaint: () => complaint.trim(),
    async ready() {
      await eventually('the cloud is ready', () => output.includes('"ready"') || child.exitCode !== null);
      expect(complaint).toBe('');
    },
    async end() {
      child.kill('SIGTERM');
      expect(await exited).toBe(0);
    },
  };
}
const url = (path: string) => `http://127.0.0.1:${port}${path}`;
const health = async () => (await fetch(url('/healthz'))).status;
const inHome = (...path: string[]) => join(home, 'cloud', ...path);
const signIn = async (account: { email: string; password: string }) => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url('/auth/login'), {
    method: 'POST',
    headers,
    body: JSON.stringify(account),
  });
  return ((await response.json()) as { user: { roles: string[] } }).user.roles;
};

describe('the whole cloud in one process', () => {
  it('starts, ends with exit 0 within 5 s however many signals come, and starts again as it was', async () => {
    const first = start();
    await first.ready();
    expect(await health()).toBe(200);
    const [ports, trust] = ['ports.json', 'trust.json'].map((name) => readFileSync(inHome(name), 'utf8'));
    const startedAt = performance.now();
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM', 'SIGINT'] as const) first.child.kill(signal);
    expect(await first.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(first.complaint()).toBe('');

    const again = start();
    await again.ready();
    expect(await health()).toBe(200);
    expect(readFileSync(inHome('ports.json'), 'utf8')).toBe(ports);
    expect(readFileSync(inHome('trust.json'), 'utf8')).toBe(trust);
    await again.end();
  });

  it('gets its administrators from the operator, whether it runs or not', async () => {
    const early = await ares<{ email: string; password: string }>(
      home,
      'admin',
      'create',
      'early@example.org',
    );
    const cloud = start();
    await cloud.ready();
    expect(await signIn(early)).toEqual(['prime_admin']);
    const late = await ares<typeof early>(home, 'admin', 'create', 'late@example.org');
    expect(await signIn(late)).toEqual(['prime_admin']);
    await expect(ares(home, 'admin', 'create', 'late@example.org')).rejects.toThrow(/choose another e-mail/);
    await cloud.end();
  });

  it('goes on when its database is killed, and leaves a second cloud outside', async () => {
    const cloud = start();
    await cloud.ready();
    const [pid] = readFileSync(inHome('database', 'data', 'postmaster.pid'), 'utf8').split('\n');
    process.kill(Number(pid), 'SIGKILL');
    await eventually('the loss is seen', async () => (await health()) === 503, 5_000);
    await eventually('the database is back', async () => (await health()) === 200, 15_000);

    const [samePort, otherPort] = [start(), start({ PORT: String(port + 1) })];
    expect(await samePort.exited).toBe(1);
    expect(samePort.complaint()).toMatch(new RegExp(`^Port ${port} .* is taken by another program.*$`));
    expect(await otherPort.exited).toBe(1);
    expect(otherPort.complaint()).toMatch(/^Port \d+ .*\(devices\) is taken.*$/);
    expect(await health()).toBe(200);
    await cloud.end();
  });

  it('ends with exit 0 when it is told so while it starts', async () => {
    const fresh = newHome();
    const { child, exited } = start({ ARES_HOME: fresh });
    await eventually('it has begun', () => existsSync(join(fresh, 'cloud', 'database')));
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });
});

describe('refusing to start, in one line with exit 1', () => {
  it('a configuration with mistakes, all of them at once', async () => {
    const { exited, complaint } = start({ PORT: 'x', ARES_LOG_LEVEL: 'y' }, 'cook');
    expect(await exited).toBe(1);
    expect(complaint()).toMatch(/there is no role "cook".*\n.*PORT must.*\n.*ARES_LOG_LEVEL/);
  });

  it('a home that cannot be made', async () => {
    const { exited, complaint } = start({ ARES_HOME: '/dev/null/x' });
    expect(await exited).toBe(1);
    expect(complaint()).toMatch(/file where a folder is needed|may not write/);
  });

  it('a damaged file of ports, which it leaves as it is', async () => {
    const damaged = newHome();
    mkdirSync(join(damaged, 'cloud'), { mode: 0o700 });
    const file = join(damaged, 'cloud', 'ports.json');
    writeFileSync(file, '{');
    const { exited, complaint } = start({ ARES_HOME: damaged });
    expect(await exited).toBe(1);
    expect(complaint()).toMatch(/^.*ports\.json is damaged\..*$/);
    expect(readFileSync(file, 'utf8')).toBe('{');
  });

  it('a key that is gone, before anything is made anew', async () => {
    const key = inHome('secrets', 'key-encryption-key');
    renameSync(key, `${key}.away`);
    const { exited, complaint } = start();
    expect(await exited).toBe(1);
    expect(complaint()).toMatch(/^.*the key that opens them is missing.*$/);
    expect(existsSync(key)).toBe(false);
    renameSync(`${key}.away`, key);
  });
});
