import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './repository.ts';

/** The Node that runs the tests, with the sources as they are. */
const node = [process.execPath, '--conditions=@ares/source'] as const;

/** `npm start` without npm: the program that it runs, in a home of its own. */
export interface AresProcess {
  readonly home: string;
  readonly url: string;
  readonly child: ChildProcess;
  output(): string;
  /** Waits until the output has a line like this. @throws when the program ends or the time is up first */
  sees(pattern: RegExp, milliseconds?: number): Promise<RegExpMatchArray>;
  /** Resolves with the exit status, `null` when a signal ended it. */
  readonly exited: Promise<number | null>;
}

/** A folder that only its owner may enter, as in a newcomer's `mktemp -d`. `ARES_KEEP=1` leaves it for a look. */
export function temporaryHome(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'ares-'));
  return {
    path,
    remove: () => {
      if (process.env['ARES_KEEP'] === undefined) rmSync(path, { recursive: true, force: true });
      else console.log(`kept: ${path}`);
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export function startAres(options: {
  readonly home: string;
  readonly port: number;
  readonly env?: Record<string, string>;
}): AresProcess {
  const { home, port } = options;
  const child = spawn(node[0], [node[1], join(root, 'cloud/src/demo/main.ts')], {
    cwd: home,
    env: { ...process.env, ...options.env, ARES_HOME: home, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const watchers = new Set<() => void>();
  const add = (chunk: string) => {
    text += chunk;
    for (const watch of watchers) watch();
  };
  child.stdout.setEncoding('utf8').on('data', add);
  child.stderr.setEncoding('utf8').on('data', add);
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    home,
    url: `http://127.0.0.1:${port}`,
    child,
    output: () => text,
    exited,
    sees: (pattern, milliseconds = 90_000) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) => {
          watchers.delete(look);
          clearTimeout(timer);
          if (error !== undefined) reject(error);
        };
        const look = () => {
          const match = pattern.exec(text);
          if (match === null) return;
          end();
          resolve(match);
        };
        const timer = setTimeout(
          () => end(new Error(`${pattern} did not appear in:\n${text}`)),
          milliseconds,
        );
        watchers.add(look);
        void exited.then((code) => end(new Error(`ended with ${code} before ${pattern}:\n${text}`)));
        look();
      }),
  };
}

/** Runs the operator's CLI against a home; parses what `--json` prints. @throws with its complaint when it fails */
export const ares = <T = unknown>(home: string, ...args: string[]): Promise<T> =>
  aresWith({ ARES_HOME: home }, ...args);

type Environment = Readonly<Record<string, string>>;

/** The same with further environment, e.g. ARES_EMAIL and ARES_PASSWORD of another account. */
export async function aresWith<T = unknown>(env: Environment, ...args: string[]): Promise<T> {
  const text = await aresText(env, args);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** The same of a command that prints one object a line. */
export async function aresLines<T = unknown>(env: Environment, ...args: string[]): Promise<T[]> {
  return (await aresText(env, args)).split('\n').map((line) => JSON.parse(line) as T);
}

async function aresText(env: Environment, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    node[0],
    [node[1], join(root, 'cloud/src/cli/main.ts'), '--json', ...args],
    { env: { ...process.env, ...env }, timeout: 60_000 },
  );
  return stdout.trim();
}

/** Runs the agent's CLI. */
export async function agent(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(node[0], [node[1], join(root, 'agent/src/main.ts'), ...args], {
    timeout: 60_000,
  });
  return stdout;
}

/** Process ids whose command line or working folder names this path. */
export function processesOf(path: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(path) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Asks until the answer is true. @throws when it is not in time */
export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
  milliseconds = 30_000,
): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
