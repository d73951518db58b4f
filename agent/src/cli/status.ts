import { askAgent } from '../adapters/control-socket.ts';
import { openChildJobs, openLifecycleStore, openLocalIdentity } from '../compose.ts';
import type { AgentConfig } from '../config.ts';
import { createCredentialsStore } from '../identity/credentials-store.ts';
import { devicePaths } from '../identity/device-paths.ts';
import { type DeviceStatus, describeStatus } from '../lifecycle/status.ts';
import { readFileIfThere } from '../store/durable-file.ts';
import { agentVersion } from '../version.ts';
import { CliError } from './errors.ts';
import { formatStatus } from './format-status.ts';

/** Shows the running agent's status, or what the files say when none runs. */
export async function status(config: AgentConfig, flags: { json?: boolean }): Promise<void> {
  const paths = devicePaths(config.stateDir);
  if (readFileIfThere(paths.identity) === undefined) {
    throw new CliError(
      `There is no device in ${config.stateDir}. Run factory-init first, or name another --state-dir.`,
    );
  }
  const live = await askAgent(paths.controlSocket, { command: 'status' });
  if (live?.ok === false) throw new CliError(live.message);
  const shown = live === undefined ? statusOfFiles(config) : (live.value as DeviceStatus);
  const running = live !== undefined;
  const text = flags.json === true ? JSON.stringify({ running, ...shown }) : formatStatus(shown, running);
  process.stdout.write(`${text}\n`);
}

function statusOfFiles(config: AgentConfig): DeviceStatus {
  const paths = devicePaths(config.stateDir);
  const record = openLifecycleStore(paths).load() ?? {
    v: 1,
    state: 'UNPROVISIONED',
    since: 0,
    why: 'The device has not been set up.',
    cloud: null,
  };
  return describeStatus({
    identity: openLocalIdentity(config).identity,
    record,
    credentials: createCredentialsStore(paths),
    holder: { current: () => undefined },
    bluetoothOpen: false,
    config: { agentVersion },
  });
}

/** Shows what this computer is. */
export async function inventory(): Promise<void> {
  const options = { signal: new AbortController().signal, timeoutMs: 30_000 };
  const { inventory: found } = await openChildJobs().run('inventory', {}, options);
  process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
}
