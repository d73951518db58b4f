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
  /** Safe to repeat: an initialised device stays the same. */
  factoryInit(trust: TrustFile): Promise<Factory>;
  start(): Promise<void>;
  /** Resolves when agent or board ended by itself. */
  failed(): Promise<string>;
  stop(): Promise<void>;
}

export function createVirtualPi(folder: string): VirtualPi {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const board = join(folder, 'board');
  const state = join(folder, 'state');
  const bleSocket = join(folder, 'ble.sock');
  const trustFile = join(folder, 'trust.json');
  const where = ['--state-dir', state, '--simulate-board', board];
  let children: { readonly name: string; readonly child: Child }[] = [];
  let stopping = false;

  return {
    bleSocket,
    async factoryInit(trust) {
      writeFileSync(trustFile, JSON.stringify(trust), { mode: 0o600 });
      const output = await runChild(agentProgram, ['factory-init', ...where, '--trust', trustFile, '--json']);
      return factorySchema.parse(JSON.parse(output));
    },
    async start() {
      const boardChild = startChild({
        program: boardProgram,
        args: ['--dir', board],
        logFile: join(folder, 'board.log'),
        stdout: 'pipe',
      });
      children = [{ name: 'board', child: boardChild }];
      await firstLine(boardChild, join(folder, 'board.log'));
      const agent = startChild({
        program: agentProgram,
        args: ['run', ...where, '--ble-socket', bleSocket, '--log', 'json'],
        logFile: join(folder, 'agent.log'),
      });
      children = [{ name: 'agent', child: agent }, ...children];
    },
    failed: () =>
      Promise.race(
        children.map(async ({ name, child }) => {
          const how = await child.exited;
          if (stopping) await new Promise(() => {});
          return `the ${name} of the virtual Pi ended (${how}); see ${join(folder, `${name}.log`)}`;
        }),
      ),
    async stop() {
      stopping = true;
      // The agent first: it switches its outputs off on a board that is still there.
      for (const { child } of children) await child.stop(2_000);
      children = [];
    },
  };
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
