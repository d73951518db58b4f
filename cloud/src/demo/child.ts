import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

/** Ends a child that outlives the parent by SIGKILL of the parent; part of util-linux on every Debian. */
const dieWithParent = spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0;

/** Of this process's own options only the one that finds the sources, in whichever of its forms it was given. */
const fromSources = '@ares/source';
const nodeOptions = process.execArgv.some(
  (option, i) =>
    option === `--conditions=${fromSources}` ||
    (option === fromSources && ['--conditions', '-C'].includes(process.execArgv[i - 1] ?? '')),
)
  ? [`--conditions=${fromSources}`]
  : [];

/** A child of its own process group: a Ctrl-C at the terminal reaches it only through its parent, in order. */
export interface Child {
  readonly process: ChildProcess;
  /** Resolves with what ended it. */
  readonly exited: Promise<string>;
  /** SIGTERM, then SIGKILL when it takes longer than `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

/** Starts a program of this repository on the Node that runs this one. Its log goes to `logFile`. */
export function startChild(options: {
  readonly program: URL;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly stdin?: 'pipe' | 'ignore';
  readonly stdout?: 'pipe' | 'log';
  /** Beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}): Child {
  const log = openSync(options.logFile, 'a', 0o600);
  const command = [process.execPath, ...nodeOptions, options.program.pathname, ...options.args];
  const [file, ...args] = dieWithParent ? ['setpriv', '--pdeathsig', 'TERM', ...command] : command;
  const child = spawn(file as string, args, {
    detached: true,
    env: { ...process.env, ...options.env },
    stdio: [options.stdin ?? 'ignore', options.stdout === 'pipe' ? 'pipe' : log, log],
  });
  closeSync(log);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `status ${code}`));
  });
  return {
    process: child,
    exited,
    async stop(graceMs = 3_000) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(kill);
    },
  };
}

/** Runs a program to its end and gives what it printed. @throws {Error} with its last words when it fails */
export async function runChild(program: URL, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [...nodeOptions, program.pathname, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(complaint.trim() || `${program.pathname} ended with ${code}`);
  return output;
}
