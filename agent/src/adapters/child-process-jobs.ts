import { spawn } from 'node:child_process';
import type { ChildChannel, ChildJobs, JobName, JobOutcome, JobTable } from '../ports/child-jobs.ts';
import { CloudApiError } from '../ports/cloud-api.ts';
import { readJsonLines } from './json-lines.ts';
import { openSocketChild } from './socket-child-channel.ts';

const KILL_AFTER_MS = 1_000;

/** The resident process runs without compilers to stay small; children live too briefly, and undici needs WebAssembly. */
export const residentOnlyFlags: readonly string[] = ['--lite-mode', '--jitless'];

/**
 * Children are this very program, started with the same runtime and flags.
 * @param options.mainFile the file of `main.ts`, or the bundle that holds it
 * @param options.radioSocket where the service listens that owns the radio, if it is not a child of this process
 */
export function createChildProcessJobs(options: {
  readonly mainFile: string;
  readonly radioSocket?: string | undefined;
}): ChildJobs {
  const { radioSocket: socketPath } = options;
  const open = (job: string, input: unknown): ChildChannel => openChild(options.mainFile, job, input);
  return {
    openBle: (input) =>
      socketPath === undefined
        ? open('ble', input)
        : openSocketChild({ socketPath, input, advice: 'Is ares-agent-radio.socket enabled and active?' }),
    run: <J extends JobName>(
      job: J,
      input: JobTable[J]['input'],
      { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
    ) =>
      new Promise<JobTable[J]['output']>((resolve, reject) => {
        if (signal.aborted) return reject(new CloudApiError('ABORTED', `The job ${job} was given up.`));
        const child = open(job, input);
        const end = (settle: () => void) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          void child.close().then(settle);
        };
        const fail = (error: CloudApiError) => end(() => reject(error));
        const onAbort = () => fail(new CloudApiError('ABORTED', `The job ${job} was given up.`));
        const timer = setTimeout(
          () => fail(new CloudApiError('TIMEOUT', `The job ${job} took more than ${timeoutMs} ms.`)),
          timeoutMs,
        );
        signal.addEventListener('abort', onAbort);
        child.onMessage((message) => {
          const outcome = message as JobOutcome;
          if (outcome.ok) end(() => resolve(outcome.output as JobTable[J]['output']));
          else fail(new CloudApiError(outcome.code, outcome.message, outcome));
        });
        void child.closed.then((error) =>
          fail(
            new CloudApiError('CHILD_FAILED', `The job ${job} ended without an answer.`, { cause: error }),
          ),
        );
      }),
  };
}

function openChild(mainFile: string, job: string, input: unknown): ChildChannel {
  // No environment: nothing of the parent's may change whom the child trusts or what it loads.
  const flags = process.execArgv.filter((flag) => !residentOnlyFlags.includes(flag));
  const child = spawn(process.execPath, [...flags, mainFile, 'child', job], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {},
  });
  let asked = false;
  let failure: Error | undefined;
  let listener: (message: unknown) => void = () => {};
  readJsonLines(
    child.stdout,
    (message) => listener(message),
    (error) => {
      failure = error;
      child.kill('SIGKILL');
    },
  );
  // A child that is gone cannot be written to; `closed` tells.
  child.stdin.on('error', () => {});
  child.once('error', (error) => {
    failure = error;
  });
  const closed = new Promise<Error | undefined>((resolve) => {
    child.once('close', (code, signal) => {
      if (asked) resolve(undefined);
      else resolve(failure ?? new Error(`the child ended with ${signal ?? code}`));
    });
  });
  const send = (message: unknown) => {
    if (child.stdin.writable) child.stdin.write(`${JSON.stringify(message)}\n`);
  };
  send(input);
  return {
    send,
    onMessage(next) {
      listener = next;
    },
    closed,
    async close() {
      asked = true;
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}
