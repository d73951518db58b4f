import { createHash, X509Certificate } from 'node:crypto';
import { askAgent } from '../adapters/control-socket.ts';
import { lookAtNetwork } from '../adapters/network-look.ts';
import { openLifecycleStore } from '../compose.ts';
import { openSettledClock } from '../compose-board.ts';
import type { AgentConfig } from '../config.ts';
import { createCredentialsStore } from '../identity/credentials-store.ts';
import { devicePaths } from '../identity/device-paths.ts';
import { IdentityError } from '../identity/errors.ts';
import { loadTrust } from '../identity/trust-store.ts';
import { type ChainLink, firstBroken, withFindings } from '../lifecycle/cause-chain.ts';
import { type DeviceStatus, describeStatus, waitingStatus } from '../lifecycle/status.ts';
import { whatToDo } from '../lifecycle/what-to-do.ts';
import { readFileIfThere } from '../store/durable-file.ts';
import { inspectStore, type StoreSummary } from '../store/inspect-store.ts';
import { agentVersion } from '../version.ts';
import { CliError } from './errors.ts';
import { identityIfReadable } from './local-files.ts';

/** What `status` shows: of the device, and of this computer besides. */
export type ShownStatus = Omit<DeviceStatus, 'board'> & {
  readonly running: boolean;
  /** The first broken link of the chain; the ones after it may be broken only because of it. */
  readonly firstBroken: ChainLink | null;
  readonly trust: TrustSummary | null;
  /** What the databases hold, while no session of the agent tells. */
  readonly store: StoreSummary | null;
  readonly board: string;
  readonly button: string;
  /** The clock is taken as set because the settings say so. */
  readonly clockAssumed: boolean;
};

interface TrustSummary {
  /** Names of the authorities, as their certificates say them. */
  readonly belongsTo: readonly string[];
  /** SHA-256 of the first authority's certificate, hex. */
  readonly fingerprint: string;
  /** Never: a trust file is given, not learnt. */
  readonly onFirstUse: false;
}

/**
 * Asks the running agent, or the files when none runs, and looks at the networks of this computer.
 * @param options.probe asks name servers and cloud now
 * @throws {CliError} the state directory cannot be read; {AgentUnreachableError}
 */
export async function gatherStatus(
  config: AgentConfig,
  options: { readonly probe: boolean },
): Promise<ShownStatus> {
  mustBeReadable(config);
  const answer = await askAgent(devicePaths(config.stateDir).controlSocket, { command: 'status' });
  if (answer?.ok === false) throw new CliError(answer.message);
  const running = answer !== undefined;
  const status = running ? (answer.value as DeviceStatus) : statusOfFiles(config);
  const chain = await completeChain(config, status, options.probe);
  return {
    running,
    ...status,
    chain,
    whatToDo: adviceOf(running, { ...status, chain }),
    firstBroken: firstBroken(chain) ?? null,
    trust: trustSummary(config),
    store: status.session === null ? storeIfReadable(config) : null,
    board:
      status.board ??
      (config.simulateBoard === undefined ? `not opened (lines: ${config.gpio})` : 'simulated'),
    button: describeButton(config),
    clockAssumed: config.clock === 'assume',
  };
}

/** This computer may know more of the networks than the agent that was asked. */
function adviceOf(running: boolean, status: DeviceStatus): string | null {
  if (!running) return 'Start the agent: sudo systemctl start ares-agent (or: ares-agent run).';
  const { state } = status;
  if (state === 'WAITING_FOR_TRUST' || state === 'NEEDS_REPAIR') return status.whatToDo;
  return whatToDo({ ...status, state });
}

async function completeChain(config: AgentConfig, status: DeviceStatus, probe: boolean) {
  const simulated = { state: 'not needed', detail: 'The board is simulated.' } as const;
  const look = config.simulateBoard === undefined ? lookAtNetwork() : { wifi: simulated };
  const chain = withFindings(status.chain, look, { fresh: false });
  if (!probe || status.cloud === null) return chain;
  const { probeCloud } = await import('../adapters/cloud-probe.ts');
  const stored = createCredentialsStore(devicePaths(config.stateDir)).load();
  const clock = await openSettledClock(config);
  const found = await probeCloud({
    apiUrl: status.cloud,
    broker: stored.kind === 'found' ? stored.value.answer.mqtt : undefined,
    caCertificates: loadTrust(devicePaths(config.stateDir).trust).caCertificates,
    now: () => clock.now(),
    synchronised: clock.synchronised(),
  });
  return withFindings(chain, found, { fresh: true });
}

function statusOfFiles(config: AgentConfig): DeviceStatus {
  const paths = devicePaths(config.stateDir);
  const identity = identityIfReadable(config);
  try {
    loadTrust(paths.trust);
  } catch (cause) {
    if (!(cause instanceof IdentityError)) throw cause;
    const state = cause.code === 'TRUST_MISSING' ? 'WAITING_FOR_TRUST' : 'NEEDS_REPAIR';
    return waitingStatus({ state, why: cause.message, since: 0 }, identity, agentVersion);
  }
  const record = openLifecycleStore(paths).load() ?? {
    v: 1,
    state: 'UNPROVISIONED',
    since: 0,
    why: 'The device has not been set up.',
    cloud: null,
  };
  return describeStatus({
    identity,
    record,
    credentials: createCredentialsStore(paths),
    holder: { current: () => undefined },
    bluetooth: { isOpen: false, problem: undefined },
    steps: [],
    config: { agentVersion },
  });
}

function mustBeReadable({ stateDir }: AgentConfig): void {
  let identity: string | undefined;
  try {
    identity = readFileIfThere(devicePaths(stateDir).identity);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const advice = code === 'EACCES' ? ' Run it as root: sudo ares-agent …' : '';
    throw new CliError(`The state directory ${stateDir} cannot be read (${code}).${advice}`, { cause });
  }
  if (identity === undefined) {
    throw new CliError(
      `There is no device in ${stateDir} yet. Start the agent, which makes it, or name another --state-dir.`,
    );
  }
}

function trustSummary({ stateDir }: AgentConfig): TrustSummary | null {
  try {
    const { caCertificates } = loadTrust(devicePaths(stateDir).trust);
    const authorities = caCertificates.map((pem) => new X509Certificate(pem));
    const [first] = authorities;
    return {
      belongsTo: authorities.map(({ subject }) => subject.replaceAll('\n', ', ')),
      fingerprint: createHash('sha256')
        .update(first?.raw ?? '')
        .digest('hex'),
      onFirstUse: false,
    };
  } catch {
    return null;
  }
}

function storeIfReadable({ stateDir }: AgentConfig): StoreSummary | null {
  try {
    return inspectStore(stateDir);
  } catch {
    return null;
  }
}

function describeButton({ button, simulateBoard }: AgentConfig): string {
  if (simulateBoard !== undefined) return 'simulated (ares-agent button)';
  if (button === undefined) return 'none';
  return `GPIO ${button.line}${button.led === undefined ? '' : `, LED on GPIO ${button.led}`}`;
}
