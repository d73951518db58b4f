import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Dht22Fault } from './greenhouse.ts';
import type { BoardReport } from './level-log.ts';

/** One JSON line to the board process. */
export type BoardCommand =
  | { readonly report: true }
  | { readonly dht22: { readonly pin: number; readonly fault: Dht22Fault } }
  /** Drives an input from outside (a button). */
  | { readonly input: { readonly pin: number; readonly level: 0 | 1 } };

export interface SpawnBoardOptions {
  readonly dir: string;
  /** Greenhouse time runs this many times faster. Default 1. */
  readonly speed?: number;
  /** Seed of the sensor noise. Default 1. */
  readonly seed?: number;
  readonly pumpPin?: number;
  readonly pumpActiveLow?: boolean;
  readonly dht22Pin?: number;
  /** Own process group, so that a Ctrl-C of the terminal reaches the agent before its hardware. Default false. */
  readonly detached?: boolean;
}

/** A running board process. Its outputs keep their levels when it ends. */
export interface SpawnedBoard extends AsyncDisposable {
  readonly dir: string;
  readonly process: ChildProcess;
  /** Done when the board has acted: every command is answered. */
  send(command: BoardCommand): Promise<void>;
  report(): Promise<BoardReport>;
  /** SIGTERM, then waits for its end. */
  stop(): Promise<void>;
}

/**
 * Starts a board process and waits until its files are there.
 * @throws {Error} with what it wrote to stderr, if it ends before it is ready
 */
export async function spawnBoard(options: SpawnBoardOptions): Promise<SpawnedBoard> {
  const child = spawn(process.execPath, [...programArguments(), ...boardArguments(options)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-4_000);
  });
  // A board that died takes no more commands; its end is reported by whoever waits for an answer.
  child.stdin.on('error', () => undefined);
  const waiting: { resolve: (answer: Record<string, unknown>) => void; reject: (error: Error) => void }[] =
    [];
  createInterface({ input: child.stdout }).on('line', (line) =>
    waiting.shift()?.resolve(JSON.parse(line) as Record<string, unknown>),
  );
  const ended = once(child, 'close').then(() => {
    const error = new Error(
      `the board process ended (${child.signalCode ?? child.exitCode}) ${complaint}`.trim(),
    );
    for (const { reject } of waiting.splice(0)) reject(error);
  });
  const answer = () =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      if (child.exitCode !== null || child.signalCode !== null)
        reject(new Error(`the board process has ended ${complaint}`.trim()));
      else waiting.push({ resolve, reject });
    });
  const ask = async (command: BoardCommand) => {
    const answered = answer();
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const reply = await answered;
    if (typeof reply.error === 'string') throw new Error(`the board refuses: ${reply.error}`);
    return reply;
  };
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };

  await answer();
  return {
    dir: options.dir,
    process: child,
    send: async (command) => {
      await ask(command);
    },
    report: async () => (await ask({ report: true })) as unknown as BoardReport,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Beside this file, compiled or not. */
function programArguments(): string[] {
  const compiled = import.meta.url.endsWith('.js');
  const program = fileURLToPath(
    new URL(compiled ? './board-process.js' : './board-process.ts', import.meta.url),
  );
  return compiled ? [program] : ['--conditions=@ares/source', program];
}

function boardArguments(options: SpawnBoardOptions): string[] {
  const values: [string, string | number | undefined][] = [
    ['--dir', options.dir],
    ['--speed', options.speed],
    ['--seed', options.seed],
    ['--pump-pin', options.pumpPin],
    ['--dht22-pin', options.dht22Pin],
  ];
  return [
    ...values.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])),
    ...(options.pumpActiveLow === true ? ['--pump-active-low'] : []),
  ];
}
