import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type PostgresConnection, startEmbeddedPostgres } from '../../src/adapters/embedded-postgres.ts';

export type Held = { readonly connection: PostgresConnection; readonly pid: number };
export type Refused = { readonly code: string; readonly message: string };
export type Holder<Answer = Held | Refused> = {
  readonly process: ChildProcess;
  readonly answer: Promise<Answer>;
};

const SCRIPT = join(import.meta.dirname, 'embedded-postgres-holder.ts');
export const HOLDER = [process.execPath, '--conditions=@ares/source', SCRIPT];

/** Starts the server in a process of its own; `words` go before its command, for instance to run it as another user. */
export function startHolder(dataDir: string, words: readonly string[] = []): Holder {
  const [program, ...args] = [...words, ...HOLDER, dataDir];
  const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' });
  child.stdin.on('error', () => undefined);
  const answer = new Promise<Held | Refused>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const [line, rest] = output.split('\n');
      if (rest !== undefined) resolve(JSON.parse(line!) as Held | Refused);
    });
    child.once('close', (code) => reject(new Error(`the holder ended with ${code} and no answer`)));
  });
  answer.catch(() => undefined);
  return { process: child, answer };
}

/** Puts a database where a test wants one, in a tenth of the time that making it takes. */
export async function prepare(dataDir: string, made: string): Promise<void> {
  if (!existsSync(made))
    await (await startEmbeddedPostgres({ dataDir: made, log: () => undefined, fsync: false })).stop();
  // Of Node's own copy, folders get the mode of the umask, which PostgreSQL refuses.
  mkdirSync(dirname(dataDir), { recursive: true });
  if (!works('cp', '-a', made, dataDir)) throw new Error(`${made} could not be copied to ${dataDir}`);
}

/** Starts it and expects it to run. */
export async function hold(
  dataDir: string,
  words?: readonly string[],
): Promise<Held & { process: ChildProcess }> {
  const holder = startHolder(dataDir, words);
  const answer = await holder.answer;
  if ('code' in answer) throw new Error(`the server did not start: ${answer.code} ${answer.message}`);
  return { ...answer, process: holder.process };
}

/** Ends a holder the orderly way. */
export async function end(holder: { readonly process: ChildProcess }): Promise<void> {
  const exited = holder.process.exitCode === null ? once(holder.process, 'exit') : undefined;
  holder.process.stdin!.end();
  await exited;
}

export async function kill9(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

export async function query(connection: PostgresConnection, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(connection);
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows;
  } finally {
    await client.end();
  }
}

/** All processes that work in a folder or below it. */
export function processesBelow(folder: string): number[] {
  const real = realpathSync(folder);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readlinkSync(`/proc/${name}/cwd`).startsWith(real);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Waits for something that another process does. */
export async function eventually(condition: () => boolean, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline)
      throw new Error(`it did not happen within ${withinMs} ms: ${condition}`);
    await delay(5);
  }
}

/** Whether a command can be run here, for tests that need a right which not every machine gives. */
export function works(...[program, ...args]: string[]): boolean {
  return spawnSync(program!, args, { stdio: 'ignore' }).status === 0;
}

/** Whether other users can enter every folder on the way to a path. */
export function othersCanReach(path: string): boolean {
  for (let folder = dirname(realpathSync(path)); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === '/') return true;
  }
}
