import { randomBytes, randomUUID } from 'node:crypto';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createChildProcessJobs } from './adapters/child-process-jobs.ts';
import { createMqttBrokerLink } from './adapters/mqtt-broker-link.ts';
import { createShellGuard } from './adapters/shell-guard.ts';
import { jobsByKnownTime } from './clock/jobs-by-known-time.ts';
import { askSignedTime } from './clock/signed-time.ts';
import { openButton, openClock, openHardware, openWifi } from './compose-board.ts';
import { openDrivers } from './compose-drivers.ts';
import type { AgentConfig } from './config.ts';
import { type BoardFiles, linuxBoardFiles, readHardwareVersion } from './identity/board.ts';
import { createCredentialsIssuer } from './identity/credentials-issuer.ts';
import { createCredentialsStore } from './identity/credentials-store.ts';
import { type DevicePaths, devicePaths } from './identity/device-paths.ts';
import { openIdentity, readIdentity } from './identity/identity-store.ts';
import { loadTrust } from './identity/trust-store.ts';
import { createDevice, type Device } from './lifecycle/device.ts';
import { createLifecycleStore } from './lifecycle/lifecycle-store.ts';
import { createSessionHolder, sessionCredentials } from './lifecycle/session-holder.ts';
import type { LifecycleState } from './lifecycle/transitions.ts';
import { defaultOperatingConfig } from './operate/config.ts';
import { createOperatingSession } from './operate/session.ts';
import type { RadioSettings } from './ports/child-jobs.ts';
import type { Clock } from './ports/clock.ts';
import type { ComponentSource } from './ports/component-source.ts';
import { createLogger, type Logger } from './ports/logger.ts';
import type { Pulse } from './ports/pulse.ts';
import { defaultFailSafe, networkChangeFailSafe } from './provisioning/fail-safe.ts';
import { createProvisioningJournalStore } from './provisioning/journal.ts';
import { createNetworkChanger } from './provisioning/network-change.ts';
import { createResetMarker } from './reset/reset.ts';
import { openDeviceStore } from './store/device-store.ts';
import { readFileIfThere } from './store/durable-file.ts';
import { agentVersion } from './version.ts';

/** The whole agent, ready to run. */
export interface Agent {
  readonly device: Device;
  readonly logger: Logger;
  /** Ends everything: outputs safe, good-bye said, files closed. Safe to call twice. */
  close(): Promise<void>;
}

const JOB_TIMEOUT_MS = 60_000;
const NEVER_ABORTED = new AbortController().signal;

/** Where this board says what it is. */
function boardFiles(config: AgentConfig): BoardFiles {
  return { ...linuxBoardFiles, simulated: config.simulateBoard };
}

/** Identity of this device; made if it is not there yet. @throws {IdentityError} */
export function openLocalIdentity(config: AgentConfig, variant = 'standard', version?: string) {
  const board = boardFiles(config);
  const hardwareVersion = version ?? readHardwareVersion(board);
  return openIdentity(devicePaths(config.stateDir), board, { hardwareVersion, hardwareVariant: variant });
}

/** Who this device is, from what is there already; nothing is made. @throws {IdentityError} */
export function readLocalIdentity(config: AgentConfig) {
  return readIdentity(devicePaths(config.stateDir), boardFiles(config));
}

/** Durable record of the life, with the other files as evidence when it is damaged. */
export function openLifecycleStore(paths: DevicePaths) {
  return createLifecycleStore(paths.lifecycle, (): LifecycleState => {
    if (readFileIfThere(paths.reset) !== undefined) return 'RESETTING';
    if (readFileIfThere(paths.provisioning) !== undefined) return 'PROVISIONING';
    return readFileIfThere(paths.credentials) === undefined ? 'UNPROVISIONED' : 'OPERATING';
  });
}

/** Children are this program: its source file, or the bundle that this file is part of. */
export function openChildJobs(radioSocket?: string) {
  return createChildProcessJobs({ mainFile: mainFile(), radioSocket });
}

function mainFile(): string {
  return ownFile(`main${extname(import.meta.url)}`, 'ares-agent.mjs');
}

/** A simulated board has a simulated radio. */
function radioOf(config: AgentConfig): RadioSettings {
  if (config.simulateBoard !== undefined) return { kind: 'simulated', socketPath: config.bleSocket };
  return { kind: 'bluetooth', library: config.bleLibrary, channel: config.bleChannel };
}

/** A file of this program, in its sources or beside its bundle. */
function ownFile(inSources: string, besideBundle: string): string {
  const bundled = import.meta.url.endsWith('.mjs');
  return fileURLToPath(new URL(bundled ? besideBundle : inSources, import.meta.url));
}

/** The log of this program, on standard output. */
export function openLogger(config: AgentConfig, clock: Clock): Logger {
  return createLogger({
    write: (line) => void process.stdout.write(`${line}\n`),
    now: () => clock.now(),
    format: config.log,
    level: config.logLevel,
  });
}

function openGuard(config: AgentConfig, ports: { readonly clock: Clock; readonly logger: Logger }) {
  return createShellGuard({
    ...ports,
    scriptPath: ownFile('guard/guard.sh', 'guard.sh'),
    recordPath: join(config.stateDir, 'outputs.json'),
  });
}

/** What the last life left switched on goes safe, for a device that cannot begin this one. Never throws. */
export async function makeOutputsSafe(
  config: AgentConfig,
  ports: { readonly clock: Clock; readonly logger: Logger },
) {
  const guard = openGuard(config, ports);
  await startGuard(guard, ports.logger);
  await guard.stop();
}

/**
 * Builds the agent; the only place that chooses implementations.
 * @throws {IdentityError} when the device cannot know itself or its cloud; the message says what to do
 */
export async function compose(config: AgentConfig, options: { readonly pulse?: Pulse } = {}): Promise<Agent> {
  const { pulse } = options;
  const clock = openClock(config);
  const logger = openLogger(config, clock);
  const paths = devicePaths(config.stateDir);
  const trust = loadTrust(paths.trust);
  const local = openLocalIdentity(config);
  const { identity } = local;
  const reloadLocal = () => openLocalIdentity(config);
  const children = openChildJobs(config.radioSocket);
  const credentials = createCredentialsStore(paths);
  const store = openDeviceStore({ dir: config.stateDir, logger, clock });
  const guard = openGuard(config, { clock, logger });
  const hardware = await openHardware(config, logger);
  const drivers = await openDrivers({
    config,
    mainFile: mainFile(),
    programFolder: ownFile('../../', './'),
    clock,
    logger,
  });
  const random = { bytes: (count: number) => randomBytes(count), uuid: randomUUID, fraction: Math.random };
  const askTime = (apiUrl: string, signal: AbortSignal) =>
    askSignedTime({
      commandKeys: trust.commandKeys,
      clock,
      random: random.bytes,
      ask: async (nonce) => {
        const endpoint = { apiUrl, caCertificates: trust.caCertificates };
        return (await children.run('time', { endpoint, nonce }, { signal, timeoutMs: JOB_TIMEOUT_MS })).time;
      },
    });
  const jobs = jobsByKnownTime({ jobs: children, clock, ask: askTime, logger });
  const componentSource: ComponentSource = {
    async fetch(signal = NEVER_ABORTED) {
      // An onboarding's session works with credentials that are not adopted yet.
      const pending = credentials.loadPending();
      const answered =
        pending.kind === 'found' && pending.value.grant === 'claim' ? pending.value : undefined;
      const stored = credentials.load();
      const present = stored.kind === 'found' ? stored.value : answered;
      const answer = present?.answer;
      if (present === undefined || answer === undefined) throw new Error('the device has no credentials');
      const client = { certificateChain: answer.certificateChain, privateKeyPem: present.privateKeyPem };
      const endpoint = { apiUrl: present.apiUrl, caCertificates: trust.caCertificates, client };
      const input = { endpoint, deviceUuid: identity.deviceUuid };
      return (await jobs.run('components', input, { signal, timeoutMs: JOB_TIMEOUT_MS })).components;
    },
  };
  const wifi = await openWifi(config, { clock, logger });
  const networkChanger = createNetworkChanger({
    wifi,
    jobs,
    trust,
    clock,
    logger,
    config: networkChangeFailSafe,
  });
  const holder = createSessionHolder({
    clock,
    create: (stored) =>
      createOperatingSession({
        identity,
        credentials: sessionCredentials(stored),
        trust,
        componentSource,
        link: createMqttBrokerLink({ knownTime: clock.signedNow }),
        drivers,
        hardware,
        store,
        guard,
        // Beside an onboarding's trial there is no other.
        changeNetwork: async (network, { proven, signal }) =>
          (await wifi.inTrial().catch(() => false))
            ? { outcome: 'busy' }
            : networkChanger.change(network, { apiUrl: stored.apiUrl, proven, signal }),
        clock,
        rememberTime: clock.remember,
        signedTime: {
          onTime: clock.correct,
          ask: (signal) => askTime(stored.apiUrl, signal),
        },
        logger,
        random,
        pulse,
        config: {
          ...defaultOperatingConfig,
          ...config.operating,
          agentVersion,
          sampleIntervalMs: config.sampleIntervalMs,
        },
      }),
  });
  const device = createDevice({
    local,
    reloadLocal,
    trust,
    lifecycle: openLifecycleStore(paths),
    credentials,
    issuer: createCredentialsIssuer({
      identity,
      trust,
      store: credentials,
      jobs,
      clock,
      identityKeyPem: () => reloadLocal().identityKeyPem,
    }),
    journal: createProvisioningJournalStore(paths.provisioning),
    marker: createResetMarker(paths.reset),
    store,
    holder,
    wifi,
    networkChanger,
    jobs,
    clock,
    logger,
    random: random.fraction,
    pulse,
    config: { agentVersion, board: hardware.name, radio: radioOf(config), failSafe: defaultFailSafe },
  });
  await startGuard(guard, logger);
  const button = await openButton(config, { gpio: hardware.gpio, device, clock, logger });
  return { device, logger, close: closer({ button, device, drivers, guard, clock, store, logger }) };
}

async function startGuard(guard: { start(): Promise<void> }, logger: Logger): Promise<void> {
  // Without its guard the device measures all the same; it only switches nothing on.
  await guard
    .start()
    .catch((cause: unknown) => logger.error('the guard of the outputs did not start', { cause }));
}

function closer(parts: {
  readonly button: { close(): Promise<void> } | undefined;
  readonly device: Device;
  readonly drivers: { close(): Promise<void> };
  readonly guard: { stop(): Promise<void> };
  readonly clock: { save(): void };
  readonly store: { close(): void };
  readonly logger: Logger;
}): () => Promise<void> {
  let closed: Promise<void> | undefined;
  const close = async () => {
    // In this order: the session makes outputs safe through drivers, the guard then by itself.
    for (const stop of [
      async () => parts.button?.close(),
      () => parts.device.stop(),
      () => parts.drivers.close(),
      () => parts.guard.stop(),
      async () => parts.clock.save(),
      async () => parts.store.close(),
    ]) {
      await stop().catch((cause: unknown) => parts.logger.error('could not stop cleanly', { cause }));
    }
  };
  return () => {
    closed ??= close();
    return closed;
  };
}
