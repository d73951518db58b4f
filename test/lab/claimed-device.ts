import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttachedComponent, anyHeaderPin, builtInComponentTypes, parseWith } from '@ares/protocol';
import { type DeviceComponents, deviceComponentsSchema } from '@ares/protocol/http/device';
import { createSystemClock } from '../../agent/src/adapters/system-clock.ts';
import { ensureSimulatedSerial, linuxBoardFiles } from '../../agent/src/identity/board.ts';
import { createCredentialsStore } from '../../agent/src/identity/credentials-store.ts';
import { devicePaths } from '../../agent/src/identity/device-paths.ts';
import { openIdentity } from '../../agent/src/identity/identity-store.ts';
import { createLifecycleStore } from '../../agent/src/lifecycle/lifecycle-store.ts';
import type { DeviceStatus } from '../../agent/src/lifecycle/status.ts';
import { silentLogger } from '../../agent/src/ports/logger.ts';
import { openDeviceStore } from '../../agent/src/store/device-store.ts';
import { makeTestAuthority } from '../support/certificates.ts';
import { askAgentStatus } from './agent-status.ts';
import { queryOutbox } from './outbox.ts';
import type { Vm } from './vm.ts';

const ASSIGNMENT = 1;
/** Nobody listens there: the device works by what it knows. */
const NOWHERE = { host: '127.0.0.1', port: 9 };

/** A device with the agent's package that measures and keeps what it measured, as its cloud is away. */
export interface ClaimedDevice {
  status(): Promise<DeviceStatus>;
  /** What waits in the outbox for the cloud, oldest first. */
  readings(metric: string): Promise<{ readonly value: number; readonly suspect: boolean }[]>;
}

/**
 * Puts a state directory into a machine of `labInstalled` as a claim leaves it, and starts the agent's service: for
 * cases about parts, which need no cloud and no radio.
 */
export async function startClaimedDevice(
  vm: Vm,
  components: readonly AttachedComponent[],
  settings: Readonly<Record<string, unknown>> = {},
): Promise<ClaimedDevice> {
  const dir = mkdtempSync(join(tmpdir(), 'ares-claimed-'));
  try {
    await writeState(dir, components);
    await vm.sh('systemctl stop ares-agent; rm -rf /var/lib/ares-agent/*');
    await vm.copyIn(dir, '/root/state');
  } finally {
    rmSync(dir, { recursive: true });
  }
  await vm.sh(`
    cp -a /root/state/. /var/lib/ares-agent/
    chown -R ares-agent:ares-agent /var/lib/ares-agent
    cat >/etc/ares-agent/config.json <<'END'
${JSON.stringify({ radioSocket: '/run/ares-agent-radio.sock', ...settings })}
END
    systemctl start ares-agent`);
  return {
    status: () => askAgentStatus(vm),
    readings: async (metric) => {
      const rows = await queryOutbox(
        vm,
        `SELECT value, suspect FROM readings WHERE metric = '${metric}' ORDER BY boot_order, seq`,
      );
      return (rows as [number, number][]).map(([value, suspect]) => ({ value, suspect: suspect === 1 }));
    },
  };
}

async function writeState(dir: string, components: readonly AttachedComponent[]): Promise<void> {
  const paths = devicePaths(dir);
  // Only to make the identity: the machine's own serial number counts later.
  const simulated = join(dir, 'board');
  mkdirSync(simulated);
  ensureSimulatedSerial(simulated);
  const made = { hardwareVersion: 'pi-4', hardwareVariant: 'standard' };
  const { identity } = openIdentity(paths, { ...linuxBoardFiles, simulated }, made);
  rmSync(simulated, { recursive: true });
  const authority = await makeTestAuthority();
  const certificate = await authority.issue({ commonName: identity.deviceUuid, usage: 'client' });
  const { x } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  const key = { kty: 'OKP', crv: 'Ed25519', x, kid: 'lab', alg: 'EdDSA', use: 'sig' };
  const trust = {
    v: 1,
    caCertificates: [authority.certificatePem],
    commandKeys: { keys: [key] },
    tufRoot: null,
  };
  writeFileSync(paths.trust, JSON.stringify(trust));
  const now = Date.now();
  const apiUrl = `https://${NOWHERE.host}:${NOWHERE.port}`;
  createCredentialsStore(paths).adopt({
    v: 1,
    grant: 'claim',
    apiUrl,
    privateKeyPem: certificate.keyPem,
    csr: '',
    answer: {
      certificateChain: certificate.certificatePem,
      certificateSerial: '01',
      notBefore: now - 60_000,
      notAfter: now + 86_400_000,
      sharedSecret: randomBytes(32).toString('base64url'),
      kid: 'a1.1',
      assignment: ASSIGNMENT,
      userEmail: 'lab@example.org',
      mqtt: NOWHERE,
      bootFloor: 0,
      ...made,
      cloudTime: now,
    },
  });
  createLifecycleStore(paths.lifecycle, () => 'OPERATING').save({
    v: 1,
    state: 'OPERATING',
    since: now,
    why: 'It was claimed in the lab.',
    cloud: { apiUrl, assignment: ASSIGNMENT },
  });
  const store = openDeviceStore({ dir, logger: silentLogger, clock: createSystemClock() });
  store.openOutbox(ASSIGNMENT).saveDocument('components', listOf(components));
  store.close();
}

function listOf(items: readonly AttachedComponent[]): DeviceComponents {
  const types = [...builtInComponentTypes];
  const list = parseWith(deviceComponentsSchema, { items, types, rules: anyHeaderPin(types), revision: 1 });
  if (!list.ok) throw new Error(JSON.stringify(list.issues));
  return list.value;
}
