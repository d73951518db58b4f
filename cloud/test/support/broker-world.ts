import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { makeCsr } from '../../../test/support/certificate-requests.ts';
import { type BrokerConfig, type EmbeddedBroker, startBroker } from '../../src/adapters/aedes-broker.ts';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../src/adapters/local-certificate-authority.ts';
import type { CertificateAuthority, RevokedCertificate } from '../../src/ports/certificate-authority.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { SecretStore } from '../../src/ports/secret-store.ts';
import type { SecurityEvent } from '../../src/ports/security-reporter.ts';
import { silentLogger } from './quiet.ts';

export interface TestDevice {
  readonly deviceUuid: string;
  readonly serial: string;
  readonly keyPem: string;
  readonly chainPem: string;
}

export interface BrokerWorld {
  readonly ca: CertificateAuthority;
  readonly secrets: SecretStore;
  readonly broker: EmbeddedBroker;
  /** What was reported, in order. */
  readonly events: SecurityEvent[];
  /** Rows of the certificate table. */
  readonly statuses: Map<string, { deviceUuid: string; status: string }>;
  issue(options?: { deviceUuid?: string; validityMs?: number }): Promise<TestDevice>;
  crls(revoked?: readonly RevokedCertificate[]): Promise<readonly string[]>;
  /** Connects as the device; fails when the broker says no. */
  connect(
    device: Pick<TestDevice, 'keyPem' | 'chainPem'> & { deviceUuid: string },
    options?: IClientOptions,
  ): Promise<MqttClient>;
  setCrls(crls: readonly string[]): void;
  close(): Promise<void>;
}

/** A real broker, a real authority, on loopback. */
export async function brokerWorld(
  options: { clock?: Clock; config?: Partial<BrokerConfig>; lookUp?: (serial: string) => Promise<void> } = {},
): Promise<BrokerWorld> {
  const clock = options.clock ?? { now: () => Date.now() };
  const home = await mkdtemp(join(tmpdir(), 'ares-broker-'));
  const secrets = await openFileSecretStore({ dir: join(home, 'secrets') });
  const ca = await openLocalCertificateAuthority({ secrets, clock, config: { dir: join(home, 'ca') } });
  const server = await ca.signServer({ names: ['localhost', '127.0.0.1'] });
  const events: SecurityEvent[] = [];
  const statuses = new Map<string, { deviceUuid: string; status: string }>();
  const tls = {
    keyPem: server.keyPem,
    chainPem: server.chainPem,
    rootPem: ca.caCertificates.root,
    crls: await ca.crls([]),
  };
  const broker = await startBroker({
    tls,
    certificateStatus: async (serial) => {
      // As a query does that is answered with what the table held when it began.
      const row = statuses.get(serial);
      await options.lookUp?.(serial);
      return row;
    },
    security: { report: (event) => events.push(event) },
    clock,
    log: silentLogger,
    config: { host: '127.0.0.1', port: 0, ...options.config },
  });
  const clients = new Set<MqttClient>();
  return {
    ca,
    secrets,
    broker,
    events,
    statuses,
    async issue({ deviceUuid = randomUUID(), validityMs = 86_400_000 } = {}) {
      const csr = await makeCsr();
      const issued = await ca.signDevice({ csr: csr.der, commonName: deviceUuid, validityMs });
      statuses.set(issued.serial, { deviceUuid, status: 'ACTIVE' });
      return { deviceUuid, serial: issued.serial, keyPem: csr.keyPem, chainPem: issued.chainPem };
    },
    crls: (revoked = []) => ca.crls(revoked),
    async connect(device, extra = {}) {
      const client = await mqtt.connectAsync({
        host: '127.0.0.1',
        port: broker.port,
        protocol: 'mqtts',
        protocolVersion: 4,
        clientId: device.deviceUuid,
        ca: [ca.caCertificates.root],
        key: device.keyPem,
        cert: device.chainPem,
        reconnectPeriod: 0,
        ...extra,
      });
      client.on('error', () => undefined);
      clients.add(client);
      return client;
    },
    setCrls: (crls) => broker.setTls({ ...tls, crls }),
    async close() {
      for (const client of clients) await client.endAsync(true);
      await broker.close();
    },
  };
}
