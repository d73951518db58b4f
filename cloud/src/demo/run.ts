import { join } from 'node:path';
import { type Client, createClient } from '@ares/protocol/http';
import { fetch } from 'undici';
import { credentialsFile, piFolder, type SavedCredentials } from '../cli/home.ts';
import { type Cloud, composeCloud } from '../compose.ts';
import { demoConfig } from '../config.ts';
import { ensureSavedCredentials } from './accounts.ts';
import { pairAndClaim, preregister, runPump, waitUntilLive } from './life.ts';
import type { Progress } from './progress.ts';
import { createVirtualPi, type VirtualPi } from './virtual-pi.ts';

export interface Demo {
  /** Resolves with a sentence when a part ended by itself. */
  failed(): Promise<string>;
  stop(): Promise<void>;
}

/** The whole of Ares on this machine: a cloud, a virtual Pi, a stand-in for the phone. */
export async function startDemo(options: {
  readonly home: string;
  readonly port: number;
  readonly progress: Progress;
  /** Aborts the start. */
  readonly signal: AbortSignal;
}): Promise<Demo> {
  const { home, port, progress, signal } = options;
  let cloud: Cloud | undefined;
  let pi: VirtualPi | undefined;
  const stop = async () => {
    await pi?.stop();
    await cloud?.close();
  };
  try {
    progress.line(`Ares, everything in ${home}`);
    cloud = await progress.step('cloud', async () => {
      const started = await composeCloud(demoConfig({ home, port }));
      return [started, 'PostgreSQL, MQTT broker with mutual TLS, certificate authority and API run'];
    });
    const saved = await ensureSavedCredentials(home, cloud.publicUrl);
    await cloud.ensureAccount({ ...saved.administrator, roles: ['prime_admin'] });
    await cloud.ensureAccount({ ...saved.owner, roles: [] });
    const admin = await signedIn(cloud.publicUrl, saved.administrator);
    const owner = await signedIn(cloud.publicUrl, saved.owner);
    signal.throwIfAborted();

    const device = createVirtualPi(piFolder(home), {
      onAgentDeath: (what) =>
        progress.line(`! ${what}. The guard has switched its outputs off; it starts again.`),
    });
    pi = device;
    const trust = cloud.trustFile;
    const factory = await progress.step('factory', async () => [
      await device.factoryInit(trust),
      'virtual Pi with its own identity key, setup code and trust file',
    ]);
    const deviceUuid = await preregister(progress, admin, factory);
    signal.throwIfAborted();
    await progress.step('boot', async () => [await device.start(), 'simulated board and agent run']);
    signal.throwIfAborted();

    const whose = await ownership(admin, owner, deviceUuid);
    if (whose === 'nobody') await pairAndClaim(progress, owner, device, factory);
    if (whose === 'another') progress.line('  the device has found another owner; it goes on for him');
    else await waitUntilLive(progress, owner, deviceUuid);
    if (whose === 'nobody') await runPump(progress, owner, deviceUuid);
    signal.throwIfAborted();
    printReady(progress, cloud.publicUrl, saved, home, deviceUuid);
  } catch (error) {
    await stop();
    throw error;
  }
  return { failed: () => Promise.race([pi.failed(), cloud.failed()]), stop };
}

async function ownership(
  admin: Client,
  owner: Client,
  deviceUuid: string,
): Promise<'owner' | 'another' | 'nobody'> {
  const isIt = (item: { deviceUuid: string }) => item.deviceUuid === deviceUuid;
  const query = { text: deviceUuid };
  if ((await owner.listDevices({ query })).items.some(isIt)) return 'owner';
  const device = (await admin.listDevices({ query })).items.find(isIt);
  return device?.claimedAt == null ? 'nobody' : 'another';
}

async function signedIn(baseUrl: string, account: SavedCredentials['owner']): Promise<Client> {
  const { accessToken } = await createClient({ baseUrl, fetch }).login({ body: account });
  return createClient({ baseUrl, fetch, accessToken: () => accessToken });
}

function printReady(
  progress: Progress,
  url: string,
  saved: SavedCredentials,
  home: string,
  deviceUuid: string,
): void {
  const id = deviceUuid.slice(0, 8);
  for (const line of [
    '',
    `ready: ${url}`,
    '',
    `Sign in as owner          ${saved.owner.email}  ${saved.owner.password}`,
    `        or administrator  ${saved.administrator.email}  ${saved.administrator.password}`,
    `        (again: npm run ares -- credentials; kept in ${credentialsFile(home)})`,
    '',
    'Open that address, or in another terminal:',
    `  npm run ares -- device state ${id} --watch`,
    `  npm run ares -- device command ${id} pump on --for 10s`,
    `  npm run ares -- telemetry ${id}`,
    '',
    `Logs: ${join(piFolder(home), 'agent.log')}`,
    `      ${join(home, 'cloud', 'cloud.log')}`,
    'Ctrl-C ends everything; npm start goes on where it was.',
  ]) {
    progress.line(line);
  }
}
