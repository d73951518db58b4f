import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TrustFile } from '@ares/protocol';
import { z } from 'zod';
import { type Child, runChild, startChild } from './child.ts';

const agentProgram = new URL('../../../agent/src/main.ts', import.meta.url);
const boardProgram = new URL('../../../hardware-drivers/src/simulation/board-process.ts', import.meta.url);

const factorySchema = z.looseObject({ registrationLine: z.string(), setupCode: z.string() });

/** What factory-init printed: the line for the cloud and the code for the label. */
export type Factory = z.infer<typeof factorySchema>;

/**
 * A Pi without a Pi: the agent program on a simulated board. Board and agent are two processes, so the board's
 * outputs stay as they are when the agent dies.
 */
export interface VirtualPi {
  readonly bleSocket: string;
  readonly boardDir: string;
  readonly stateDir: string;
  /** Safe to repeat: an initialised device stays the same. */
  factoryInit(trust: TrustFile): Promise<Factory>;
  /** Board, then agent. */
  start(): Promise<void>;
  startAgent(): void;
  /** SIGKILL, as by a crash; the board goes on. */
  killAgent(): Promise<void>;
  /** Resolves when agent or board ended without being told to. */
  failed(): Promise<string>;
  stop(): Promise<void>;
}

/** As a service manager would: again after a moment, but not for ever. */
const RESTART_MS = 1_000;
const MOST_DEATHS = 20;

export interface VirtualPiOptions {
  /** Settings file of the agent, e.g. with drivers by others. */
  readonly config?: string;
  /** Told when the agent has died; it is then started again. Absent: its death is a failure. */
  readonly onAgentDeath?: (what: string) => void;
}

export function createVirtualPi(folder: string, options: VirtualPiOptions = {}): VirtualPi {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const boardDir = join(folder, 'board');
  const stateDir = join(folder, 'state');
  const bleSocket = join(folder, 'ble.sock');
  const trustFile = join(folder, 'trust.json');
  const where = ['--state-dir', stateDir, '--simulate-board', boardDir];
  const logOf = (name: string) => join(folder, `${name}.log`);
  const expected = new Set<Child>();
  let board: Child | undefined;
  let agent: Child | undefined;
  let restart: NodeJS.Timeout | undefined;
  let fail: (reason: string) => void = () => {};
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  let deaths = 0;
  const watch = (name: 'agent' | 'board', child: Child) => {
    void child.exited.then((how) => {
      if (expected.has(child)) return;
      const what = `the ${name} of the virtual Pi ended (${how}); see ${logOf(name)}`;
      deaths += 1;
      if (name === 'board' || options.onAgentDeath === undefined || deaths > MOST_DEATHS) return fail(what);
      options.onAgentDeath(what);
      restart = setTimeout(() => pi.startAgent(), RESTART_MS);
    });
    return child;
  };
  const end = async (child: Child | undefined, how: (child: Child) => Promise<unknown>) => {
    if (child === undefined) return;
    expected.add(child);
    await how(child);
  };

  const pi: VirtualPi = {
    bleSocket,
    boardDir,
    stateDir,
    failed: () => failed,
    async factoryInit(trust) {
      writeFileSync(trustFile, JSON.stringify(trust), { mode: 0o600 });
      const output = await runChild(agentProgram, ['factory-init', ...where, '--trust', trustFile, '--json']);
      return factorySchema.parse(JSON.parse(output));
    },
    async start() {
      const child = startChild({
        program: boardProgram,
        args: ['--dir', boardDir],
        logFile: logOf('board'),
        // The board ends with the pipe, so not without us.
        stdin: 'pipe',
        stdout: 'pipe',
      });
      board = watch('board', child);
      await firstLine(child, logOf('board'));
      pi.startAgent();
    },
    startAgent() {
      const args = ['run', ...where, '--ble-socket', bleSocket, '--log', 'json'];
      if (options.config !== undefined) args.push('--config', options.config);
      agent = watch('agent', startChild({ program: agentProgram, args, logFile: logOf('agent') }));
    },
    killAgent: () =>
      end(agent, (child) => {
        child.process.kill('SIGKILL');
        return child.exited;
      }),
    async stop() {
      clearTimeout(restart);
      // The agent first: it switches its outputs off on a board that is still there.
      await end(agent, (child) => child.stop(2_500));
      await end(board, (child) => child.stop(1_000));
    },
  };
  return pi;
}

/** Waits for the board to say that it is ready. */
async function firstLine(child: Child, log: string): Promise<void> {
  const { stdout } = child.process;
  if (stdout === null) throw new TypeError('the board was started without a pipe');
  const ready = new Promise<'ready'>((resolve) =>
    createInterface(stdout).once('line', () => resolve('ready')),
  );
  const result = await Promise.race([ready, child.exited]);
  if (result !== 'ready') throw new Error(`the simulated board did not start (${result}); see ${log}`);
}
