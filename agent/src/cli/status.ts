import { openChildJobs } from '../compose.ts';
import type { AgentConfig } from '../config.ts';
import { formatStatus } from './format-status.ts';
import { gatherStatus } from './gather-status.ts';

/** Shows the running agent's status, or what the files say when none runs. */
export async function status(
  config: AgentConfig,
  flags: { readonly json?: boolean; readonly probe?: boolean },
): Promise<void> {
  const shown = await gatherStatus(config, { probe: flags.probe === true });
  process.stdout.write(`${flags.json === true ? JSON.stringify(shown) : formatStatus(shown, Date.now())}\n`);
}

/** Shows what this computer is. */
export async function inventory(): Promise<void> {
  process.stdout.write(`${JSON.stringify(await readInventory(), undefined, 2)}\n`);
}

/** What this computer is; takes a second or two. */
export async function readInventory(): Promise<Record<string, unknown>> {
  const options = { signal: new AbortController().signal, timeoutMs: 30_000 };
  return (await openChildJobs().run('inventory', {}, options)).inventory;
}
