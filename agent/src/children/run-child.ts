import { createInterface } from 'node:readline';
import type { JobName, JobOutcome, JobTable } from '../ports/child-jobs.ts';
import { CloudApiError } from '../ports/cloud-api.ts';

/** What every job is: input in, output out; `signal` is aborted when the parent has gone. */
export type Job<J extends JobName> = (
  input: JobTable[J]['input'],
  signal: AbortSignal,
) => Promise<JobTable[J]['output']>;

/** The jobs of this program, each loaded only in the child that runs it. */
export type JobLoaders = { readonly [J in JobName]: () => Promise<Job<J>> };

/** The other side of the pipe: the parent, one JSON value a line. */
export interface ParentPipe {
  /** The first message. */
  readonly input: Promise<unknown>;
  onMessage(listener: (message: unknown) => void): void;
  send(message: unknown): void;
  /** Aborted when the parent closed the pipe or died. */
  readonly gone: AbortSignal;
}

/** Runs one job and reports its outcome to the parent. Never throws. */
export async function runJob(name: string, loaders: JobLoaders, pipe: ParentPipe): Promise<void> {
  const outcome = await attempt(name, loaders, pipe);
  if (!pipe.gone.aborted) pipe.send(outcome);
}

async function attempt(name: string, loaders: JobLoaders, pipe: ParentPipe): Promise<JobOutcome> {
  try {
    if (!Object.hasOwn(loaders, name)) throw new Error(`there is no job called ${name}`);
    const job = (await loaders[name as JobName]()) as Job<JobName>;
    const input = (await pipe.input) as JobTable[JobName]['input'];
    return { ok: true, output: await job(input, pipe.gone) };
  } catch (cause) {
    const error =
      cause instanceof CloudApiError
        ? cause
        : new CloudApiError('CHILD_FAILED', cause instanceof Error ? cause.message : String(cause));
    const { code, message, problem, retryAfterSeconds } = error;
    return { ok: false, code, message, problem, retryAfterSeconds };
  }
}

/** The pipe on this process's stdin and stdout, two pipes or one socket. */
export function openParentPipe(): ParentPipe {
  const gone = new AbortController();
  // Ctrl-C reaches the whole process group; the parent decides when its children end, by closing the pipe.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  // Both may be one socket, which fails when the parent is killed with something unread.
  for (const stream of [process.stdin, process.stdout]) stream.on('error', () => gone.abort());
  const first = Promise.withResolvers<unknown>();
  let started = false;
  // The job is still being loaded when the first messages come.
  const early: unknown[] = [];
  let listener: (message: unknown) => void = (message) => early.push(message);
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    const message: unknown = JSON.parse(line);
    if (started) return listener(message);
    started = true;
    first.resolve(message);
  });
  lines.on('error', () => gone.abort());
  lines.once('close', () => gone.abort());
  return {
    input: first.promise,
    onMessage(next) {
      listener = next;
      for (const message of early.splice(0)) next(message);
    },
    send: (message) => void process.stdout.write(`${JSON.stringify(message)}\n`),
    gone: gone.signal,
  };
}
