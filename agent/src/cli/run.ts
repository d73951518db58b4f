import { mkdirSync } from 'node:fs';
import type { ControlRequest } from '../adapters/control-socket.ts';
import { openControlSocket } from '../adapters/control-socket.ts';
import { takeServiceManager } from '../adapters/systemd-service-manager.ts';
import { compose, makeOutputsSafe, openLocalIdentity, openLogger } from '../compose.ts';
import { openClock } from '../compose-board.ts';
import type { AgentConfig } from '../config.ts';
import { devicePaths } from '../identity/device-paths.ts';
import { adoptTrust } from '../identity/trust-store.ts';
import type { Device } from '../lifecycle/device.ts';
import { waitingStatus } from '../lifecycle/status.ts';
import { type Clock, delay } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { createPulse } from '../ports/pulse.ts';
import { awaitFoundation, type Waiting } from '../service/foundation.ts';
import { reportToServiceManager, type ServiceReport } from '../service/service-report.ts';
import { cannotWrite } from '../store/database.ts';
import { releaseReserve } from '../store/disk-reserve.ts';
import { agentVersion } from '../version.ts';
import { CliError } from './errors.ts';
import { identityIfReadable } from './local-files.ts';

/** Longest time that a drain may take before the process leaves all the same, ms. */
const DRAIN_LIMIT_MS = 4_000;
/** A driver that does not come up does not keep the service from being ready, ms. */
const DRIVERS_WITHIN_MS = 10_000;

/** What of the agent is there yet, for those who ask. */
interface Present {
  device?: Device;
  waiting?: Waiting;
}

/** Runs the agent until a signal, which may come twice (Ctrl-C under npm): the drain happens once. */
export async function run(config: AgentConfig): Promise<void> {
  const { stateDir } = config;
  // Whatever a library writes, the readings of an owner are nobody else's.
  process.umask(0o077);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const clock = openClock(config);
  const logger = openLogger(config, clock);
  const manager = takeServiceManager({ env: process.env, pid: process.pid, logger });
  const present: Present = {};
  const control = await onWritableDisk(config, { clock, logger }, () =>
    openControlSocket({
      path: devicePaths(stateDir).controlSocket,
      handle: async (request) => answer(config, present, request),
    }),
  );
  const pulse = createPulse({ clock });
  const report = reportToServiceManager({
    manager,
    pulse,
    clock,
    logger,
    summary: () => summaryOf(present),
  });
  try {
    await live({ config, clock, logger, pulse, report, present });
  } finally {
    report.close();
    await control.close();
  }
}

async function live(ports: {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pulse: ReturnType<typeof createPulse>;
  readonly report: ServiceReport;
  readonly present: Present;
}): Promise<void> {
  const { config, clock, logger, pulse, report, present } = ports;
  const stopping = new AbortController();
  const ignoreSignals = onSignals((signal) => {
    logger.info('stopping', { signal });
    report.stopping();
    setTimeout(() => process.exit(1), DRAIN_LIMIT_MS).unref();
    stopping.abort();
  });
  try {
    if (!(await layFoundation(ports, stopping.signal))) return;
    const agent = await onWritableDisk(config, { clock, logger }, () => compose(config, { pulse }));
    present.device = agent.device;
    const close = () => void agent.close();
    stopping.signal.addEventListener('abort', close);
    if (stopping.signal.aborted) close();
    logger.info('agent started', { version: agentVersion, stateDir: config.stateDir });
    const limit = delay(clock, DRIVERS_WITHIN_MS, stopping.signal).catch(() => undefined);
    void Promise.race([agent.device.settled(), limit]).then(() => {
      if (!stopping.signal.aborted) report.ready();
    });
    try {
      await agent.device.run();
    } finally {
      await agent.close();
    }
    logger.info('agent stopped');
  } finally {
    ignoreSignals();
  }
}

/** Identity and trust; without them the service stays, says so, and waits for them. */
function layFoundation(
  { config, clock, logger, pulse, report, present }: Parameters<typeof live>[0],
  signal: AbortSignal,
): Promise<boolean> {
  const { trust } = devicePaths(config.stateDir);
  return awaitFoundation({
    clock,
    logger,
    pulse,
    signal,
    lay() {
      openLocalIdentity(config);
      adoptTrust(trust);
    },
    onWaiting(waiting) {
      // Drivers that could do it will not be loaded.
      if (present.waiting === undefined) void makeOutputsSafe(config, { clock, logger });
      present.waiting = waiting;
      report.ready();
    },
  });
}

/**
 * On a card that can only be read any more no agent can live: it explains that and ends, and its service manager tries
 * again. What the last one left on goes safe first. @throws {CliError}
 */
async function onWritableDisk<T>(
  config: AgentConfig,
  ports: { readonly clock: Clock; readonly logger: Logger },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isDiskFailure(cause)) throw cause;
    // The socket of the CLI needs room for a file too.
    if (releaseReserve(config.stateDir)) return work();
    await makeOutputsSafe(config, ports);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(
      `The state directory ${config.stateDir} cannot be written (${reason}). Make room on its disk, or replace a card that can only be read; "ares-agent doctor" shows more.`,
      { cause },
    );
  }
}

function isDiskFailure(cause: unknown): boolean {
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return cannotWrite(cause) || ['ENOSPC', 'EROFS', 'EIO', 'EDQUOT'].includes(String(code));
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

function summaryOf({ device, waiting }: Present): string {
  if (device !== undefined) return device.summary();
  return waiting === undefined ? 'Starting.' : `${waiting.state}: ${waiting.why}`;
}

async function answer(config: AgentConfig, present: Present, request: ControlRequest): Promise<unknown> {
  const { device, waiting } = present;
  if (device === undefined && waiting !== undefined && request.command === 'status')
    return waitingStatus(waiting, identityIfReadable(config), agentVersion);
  if (device === undefined)
    throw new Error(waiting?.why ?? 'The agent is still starting; ask again in a moment.');
  switch (request.command) {
    case 'status':
      return device.status();
    case 'reset':
      return device.reset('cli');
    case 'button':
      return request.press === 'long' ? device.reset('button') : device.openBluetooth();
  }
}
