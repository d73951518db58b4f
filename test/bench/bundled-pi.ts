import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, globSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { spawnBoard } from '@ares/hardware-drivers/simulation';
import { parseRegistrationLine } from '@ares/protocol';
import { connectWithin, greenhouseWifi, pairVirtualPi } from '../../cloud/src/phone/simulated-phone.ts';
import { root } from '../support/repository.ts';
import type { BenchCloud } from './bench-cloud.ts';

const built = join(root, 'agent/dist');
/** As the unit of the device starts it. */
const residentFlags = ['--max-semi-space-size=1', '--lite-mode'];

type Component = Parameters<typeof pairVirtualPi>[0]['components'][number];

/** The agent as a device runs it: bundled, with its flags, on a simulated board. */
export interface BundledPi {
  readonly deviceUuid: string;
  readonly bleSocket: string;
  readonly logFile: string;
  /** Starts the agent. Answers its process id. */
  startAgent(): number;
  /** SIGTERM, and waits for its end. */
  stopAgent(): Promise<void>;
  /** What is on the label now: it changes at each release. */
  setupCode(): Promise<string>;
  /** Pairs with the owner's phone; done when the phone sees the first reading acknowledged. */
  pair(
    cloud: BenchCloud,
    options: { readonly components: readonly Component[]; readonly connected?: () => void },
  ): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Makes a device that the cloud knows and nobody owns.
 * @param options.settings of the agent, e.g. drivers by others
 * @throws {Error} when the bundle was not built
 */
export async function createBundledPi(options: {
  readonly folder: string;
  readonly cloud: BenchCloud;
  readonly settings?: object;
}): Promise<BundledPi> {
  const { folder, cloud, settings = {} } = options;
  const bundle = installBundle(join(folder, 'program'));
  const boardDir = join(folder, 'board');
  const bleSocket = join(folder, 'ble.sock');
  const logFile = join(folder, 'agent.log');
  const trustFile = join(folder, 'trust.json');
  const configFile = join(folder, 'agent.json');
  const where = ['--state-dir', join(folder, 'state'), '--simulate-board', boardDir];
  writeFileSync(trustFile, JSON.stringify(cloud.trust), { mode: 0o600 });
  writeFileSync(configFile, JSON.stringify(settings), { mode: 0o600 });
  const runOnce = async (command: string, ...args: string[]) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [bundle, command, ...where, ...args, '--json'],
      {
        timeout: 60_000,
      },
    );
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  const factory = await runOnce('factory-init', '--trust', trustFile);
  const parsed = parseRegistrationLine(String(factory['registrationLine']));
  if (!parsed.ok) throw new Error('factory-init printed no registration line');
  await cloud.admin.preregister({ body: parsed.value });
  const board = await spawnBoard({ dir: boardDir });
  let agent: ChildProcess | undefined;

  const pi: BundledPi = {
    deviceUuid: parsed.value.deviceUuid,
    bleSocket,
    logFile,
    startAgent() {
      const args = ['run', ...where, '--ble-socket', bleSocket, '--log', 'json', '--config', configFile];
      const log = openSync(logFile, 'a', 0o600);
      agent = spawn(process.execPath, [...residentFlags, bundle, ...args], {
        stdio: ['ignore', log, log],
        detached: true,
      });
      closeSync(log);
      return agent.pid!;
    },
    async stopAgent() {
      if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
      const ended = once(agent, 'exit');
      agent.kill('SIGTERM');
      const hard = setTimeout(() => agent?.kill('SIGKILL'), 6_000);
      await ended;
      clearTimeout(hard);
    },
    setupCode: async () => String((await runOnce('label'))['setupCode']),
    async pair({ owner }, { components, connected }) {
      const setupCode = await pi.setupCode();
      const link = await connectWithin(bleSocket, 30_000);
      connected?.();
      await pairVirtualPi({
        link,
        setupCode,
        client: owner,
        wifi: greenhouseWifi,
        components,
        onEvent: () => {},
      });
    },
    async stop() {
      await pi.stopAgent();
      await board.stop();
    },
  };
  return pi;
}

/** A copy of its own, as on a device: whoever builds meanwhile changes nothing. Answers the program. */
function installBundle(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files = globSync(['ares-agent*.mjs', 'guard.sh'], { cwd: built });
  if (files.length === 0) throw new Error('Build the agent first: npm run build:agent');
  for (const file of files) copyFileSync(join(built, file), join(folder, file));
  return join(folder, 'ares-agent.mjs');
}
