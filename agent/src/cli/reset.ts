import { lchownSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { askAgent, openControlSocket } from '../adapters/control-socket.ts';
import { compose } from '../compose.ts';
import type { AgentConfig } from '../config.ts';
import { devicePaths } from '../identity/device-paths.ts';
import { CliError } from './errors.ts';

/** Forgets the owner: through the running agent, or here when none runs. */
export async function reset(config: AgentConfig, flags: { yes?: boolean }): Promise<void> {
  if (flags.yes !== true) await confirm();
  const { controlSocket } = devicePaths(config.stateDir);
  const answer = await askAgent(controlSocket, { command: 'reset' });
  if (answer?.ok === false) throw new CliError(answer.message);
  if (answer === undefined) await resetHere(config);
  process.stdout.write(
    answer === undefined
      ? 'The device has forgotten its owner.\n'
      : 'The reset has begun; "status" shows when it is done.\n',
  );
}

async function resetHere(config: AgentConfig): Promise<void> {
  process.umask(0o077);
  const { controlSocket } = devicePaths(config.stateDir);
  const control = await openControlSocket({ path: controlSocket, handle: async () => undefined });
  try {
    const agent = await compose({ ...config, log: 'plain', logLevel: 'warn' });
    try {
      await agent.device.resetNow('cli');
    } finally {
      await agent.close();
    }
  } finally {
    // Open, it would keep this process for ever.
    await control.close();
    giveToOwnerOf(config.stateDir);
  }
}

/** What root has made here, the agent could not open. */
function giveToOwnerOf(folder: string): void {
  const { uid, gid } = statSync(folder);
  if (process.getuid?.() !== 0 || uid === 0) return;
  for (const name of readdirSync(folder)) lchownSync(join(folder, name), uid, gid);
}

async function confirm(): Promise<void> {
  if (!process.stdin.isTTY) throw new CliError('This deletes all data of the owner. Say --yes to do it.');
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await lines.question('This deletes all data of the owner on this device. Type "reset": ');
  lines.close();
  if (answer.trim() !== 'reset') throw new CliError('Nothing was changed.');
}

/** Presses the button of a simulated board. */
export async function button(config: AgentConfig, press: string): Promise<void> {
  if (config.simulateBoard === undefined)
    throw new CliError('Only a simulated board has this button; say --simulate-board.');
  if (press !== 'short' && press !== 'long') throw new CliError('Press the button "short" or "long".');
  const answer = await askAgent(devicePaths(config.stateDir).controlSocket, { command: 'button', press });
  if (answer === undefined) throw new CliError('No agent runs on this state directory.');
  if (!answer.ok) throw new CliError(answer.message);
}
