import type { ControlRequest } from '../adapters/control-socket.ts';
import { openControlSocket } from '../adapters/control-socket.ts';
import { compose } from '../compose.ts';
import type { AgentConfig } from '../config.ts';
import { devicePaths } from '../identity/device-paths.ts';
import { loadTrust } from '../identity/trust-store.ts';
import type { Device } from '../lifecycle/device.ts';
import { agentVersion } from '../version.ts';

/** Longest time that a drain may take before the process leaves all the same, ms. */
const DRAIN_LIMIT_MS = 4_000;

/** Runs the agent until a signal, which may come twice (Ctrl-C under npm): the drain happens once. */
export async function run(config: AgentConfig): Promise<void> {
  const paths = devicePaths(config.stateDir);
  // Whatever a library writes, the readings of an owner are nobody else's.
  process.umask(0o077);
  // Before anything is made in the state directory: without a trust file there is no device here.
  loadTrust(paths.trust);
  let device: Device | undefined;
  const control = await openControlSocket({
    path: paths.controlSocket,
    handle: async (request) => answer(device, request),
  });
  try {
    const agent = await compose(config);
    device = agent.device;
    const stopped = onSignals((signal) => {
      agent.logger.info('stopping', { signal });
      setTimeout(() => process.exit(1), DRAIN_LIMIT_MS).unref();
      void agent.close();
    });
    agent.logger.info('agent started', { version: agentVersion, stateDir: config.stateDir });
    try {
      await device.run();
    } finally {
      await agent.close();
      stopped();
    }
    agent.logger.info('agent stopped');
  } finally {
    await control.close();
  }
}

function onSignals(first: (signal: NodeJS.Signals) => void): () => void {
  let seen = false;
  const listener = (signal: NodeJS.Signals) => {
    if (seen) return;
    seen = true;
    first(signal);
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener);
    process.off('SIGTERM', listener);
  };
}

async function answer(device: Device | undefined, request: ControlRequest): Promise<unknown> {
  if (device === undefined) throw new Error('The agent is still starting; ask again in a moment.');
  switch (request.command) {
    case 'status':
      return device.status();
    case 'reset':
      return device.reset('cli');
    case 'button':
      return request.press === 'long' ? device.reset('button') : device.openBluetooth();
  }
}
