import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulatedWifi } from '../../src/adapters/simulated-wifi.ts';
import { createCloudCalls } from '../../src/children/jobs/cloud-calls.ts';
import { csr } from '../../src/children/jobs/csr.ts';
import { createCredentialsIssuer } from '../../src/identity/credentials-issuer.ts';
import { createCredentialsStore } from '../../src/identity/credentials-store.ts';
import { devicePaths } from '../../src/identity/device-paths.ts';
import { openIdentity } from '../../src/identity/identity-store.ts';
import type { ChildJobs, JobName, JobTable } from '../../src/ports/child-jobs.ts';
import { CloudApiError } from '../../src/ports/cloud-api.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { defaultFailSafe } from '../../src/provisioning/fail-safe.ts';
import { createProvisioningJournalStore } from '../../src/provisioning/journal.ts';
import { createProgress } from '../../src/provisioning/progress.ts';
import type { TrialSession } from '../../src/provisioning/transaction.ts';
import { createResetMarker } from '../../src/reset/reset.ts';
import { writeDurableFile } from '../../src/store/durable-file.ts';
import { createFakeDeviceApi, type FakeDeviceApi } from './device-api.ts';
import { createFakeClock } from './fake-clock.ts';

export const API_URL = 'https://127.0.0.1:8443';

/** A device on a folder of its own with a cloud in this process. `reboot` builds it anew over the same files. */
export async function createDeviceWorld() {
  const stateDir = mkdtempSync(join(tmpdir(), 'ares-device-'));
  const board = join(stateDir, 'board');
  writeDurableFile(join(board, 'serial'), '10000000deadbeef');
  const api = await createFakeDeviceApi({ apiHost: '127.0.0.1:8443' });
  return {
    stateDir,
    api,
    boot: () => bootDevice(stateDir, board, api),
    remove: () => rmSync(stateDir, { recursive: true, force: true }),
  };
}
export type DeviceWorld = Awaited<ReturnType<typeof createDeviceWorld>>;
export type BootedDevice = ReturnType<typeof bootDevice>;

function bootDevice(stateDir: string, board: string, api: FakeDeviceApi) {
  const paths = devicePaths(stateDir);
  const files = { deviceTree: '/nowhere', cpuInfo: '/nowhere', simulated: board };
  const make = { hardwareVersion: 'sim-1', hardwareVariant: 'standard' };
  const reloadLocal = () => openIdentity(paths, files, make);
  const local = reloadLocal();
  const clock = createFakeClock({ wall: Date.now() });
  const credentials = createCredentialsStore(paths);
  const jobs = createInProcessJobs(api);
  const issuer = createCredentialsIssuer({
    identity: local.identity,
    trust: api.trust,
    store: credentials,
    jobs,
    clock,
    identityKeyPem: () => reloadLocal().identityKeyPem,
  });
  const sessions: { stopped: boolean }[] = [];
  return {
    paths,
    local,
    reloadLocal,
    identity: local.identity,
    identityKeyPem: () => reloadLocal().identityKeyPem,
    trust: api.trust,
    clock,
    logger: silentLogger,
    credentials,
    issuer,
    jobs,
    journal: createProvisioningJournalStore(paths.provisioning),
    marker: createResetMarker(paths.reset),
    wifi: createSimulatedWifi({ path: join(stateDir, 'wifi.json'), now: () => clock.now() }),
    progress: createProgress(),
    config: defaultFailSafe,
    sessions,
    startSession(): TrialSession {
      const session = { stopped: false };
      sessions.push(session);
      return {
        proven: async () => undefined,
        stop: async () => {
          session.stopped = true;
        },
      };
    },
  };
}

/** Jobs in this process, against the fake cloud; `dead` is a process that was killed: nothing goes out any more. */
export function createInProcessJobs(api: FakeDeviceApi): ChildJobs & {
  dead: boolean;
  /** Jobs under way; fake time must not pass meanwhile. */
  active: number;
  readonly log: string[];
} {
  const calls = { csr, ...createCloudCalls({ connect: () => api.connect() }) };
  const jobs = {
    dead: false,
    active: 0,
    log: [] as string[],
    openBle: () => {
      throw new Error('no radio in this test');
    },
    async run<J extends JobName>(
      job: J,
      input: JobTable[J]['input'],
      { signal }: { signal: AbortSignal },
    ): Promise<JobTable[J]['output']> {
      if (jobs.dead) throw new CloudApiError('CHILD_FAILED', 'the process is dead');
      jobs.log.push(job);
      const run = calls[job as Exclude<JobName, 'inventory'>] as (
        input: unknown,
        signal: AbortSignal,
      ) => Promise<JobTable[J]['output']>;
      jobs.active += 1;
      const output = await run(input, signal).finally(() => {
        jobs.active -= 1;
      });
      if (jobs.dead) throw new CloudApiError('CHILD_FAILED', 'the process is dead');
      return output;
    },
  };
  return jobs;
}
