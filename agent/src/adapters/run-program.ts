import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** How a program ended. `code` is 127 where it is not installed, as a shell says it. */
export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program of the system with arguments taken literally; no shell is ever between. Rejects with the reason of
 * the signal when it aborts, after the program was ended.
 */
export type RunProgram = (
  file: string,
  args: readonly string[],
  options: {
    readonly timeoutMs: number;
    readonly signal?: AbortSignal | undefined;
    /** Text for its standard input; unlike arguments and environment nobody else can read it. */
    readonly secretInput?: string | undefined;
    /** Gets what the program prints as it comes. */
    readonly onOutput?: ((text: string) => void) | undefined;
  },
) => Promise<ProgramResult>;

/** Most characters kept of an output. */
const MAX_OUTPUT = 4_000_000;
const NOT_INSTALLED = 127;
const TIMED_OUT = 124;

/** `scratchDir`: where an input lies for the moment in which it is handed over; best in memory. */
export function createProgramRunner({ scratchDir }: { readonly scratchDir: string }): RunProgram {
  return async (file, args, options) => {
    const { signal, secretInput } = options;
    signal?.throwIfAborted();
    const input = secretInput === undefined ? undefined : openNameless(scratchDir, secretInput);
    try {
      return await run(file, args, input ?? 'ignore', options);
    } finally {
      if (input !== undefined) closeSync(input);
    }
  };
}

/**
 * A file without a name: some programs open `/dev/stdin` anew, which a pipe of Node (a socket) does not allow, and
 * a name would outlive a kill.
 */
function openNameless(directory: string, text: string): number {
  const path = join(directory, `.input-${randomUUID()}`);
  const descriptor = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  // At its position 0 for whoever opens it anew; whoever goes on reading here would find the end.
  writeSync(descriptor, text, 0);
  return descriptor;
}

function run(
  file: string,
  args: readonly string[],
  stdin: number | 'ignore',
  { timeoutMs, signal, onOutput }: Parameters<RunProgram>[2],
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: [stdin, 'pipe', 'pipe'],
      // What is read of it must not depend on the language of the system.
      env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    const abort = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', abort, { once: true });
    const settle = (then: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      if (signal?.aborted === true) reject(signal.reason as Error);
      else then();
    };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MAX_OUTPUT) stdout += text;
      onOutput?.(text);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MAX_OUTPUT) stderr += text;
    });
    child.once('error', (cause: NodeJS.ErrnoException) => {
      settle(() => {
        if (cause.code === 'ENOENT')
          resolve({ code: NOT_INSTALLED, stdout: '', stderr: `${file}: not found` });
        else reject(cause);
      });
    });
    child.once('close', (code) =>
      settle(() => resolve({ code: timedOut ? TIMED_OUT : (code ?? 128), stdout, stderr })),
    );
  });
}
