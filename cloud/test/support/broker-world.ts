import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { topics } from '@ares/protocol';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { makeCsr } from '../../../test/support/certificate-requests.ts';
import { type BrokerConfig, startBroker } from '../../src/adapters/aedes-broker.ts';
import { openFileSecretStore } from '../../src/adapters/file-secret-store.ts';
import { openLocalCertificateAuthority } from '../../src/adapters/local-certificate-authority.ts';
import type { BrokerLink } from '../../src/ports/broker-link.ts';
import type { CertificateAuthority, RevokedCertificate } from '../../src/ports/certificate-authority.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { BrokerTls, DeviceBroker } from '../../src/ports/device-broker.ts';
import type { SecretStore } from '../../src/ports/secret-store.ts';
import type { SecurityEvent } from '../../src/ports/security-reporter.ts';
import { type DirectedMosquitto, startDirectedMosquitto } from './mosquitto-world.ts';
import { silentLogger } from './quiet.ts';

export interface TestDevice {
  readonly deviceUuid: string;
  readonly serial: string;
  readonly keyPem: string;
  readonly chainPem: string;
}

export type BrokerKind = 'aedes' | 'mosquitto';

/** A row of the certificate table. */
type Status = {
  readonly deviceUuid: string;
  readonly status: string;
  readonly notAfter?: Date;
  readonly appOf?: string;
};

export interface BrokerWorld {
  readonly kind: BrokerKind;
  readonly ca: CertificateAuthority;
  readonly secrets: SecretStore;
  readonly broker: DeviceBroker & {
    readonly port: number;
    /** With every right. */
    readonly link: BrokerLink;
  };
  readonly mosquitto: DirectedMosquitto | undefined;
  /** What was reported, in order. */
  readonly events: SecurityEvent[];
  readonly statuses: Map<string, Status>;
  issue(options?: { deviceUuid?: string; validityMs?: number }): Promise<TestDevice>;
  /** An app of a user; it has rights when `syncApps` names it. */
  issueApp(userEmail: string): Promise<TestDevice>;
  crls(revoked?: readonly RevokedCertificate[]): Promise<readonly string[]>;
  /** Connects as the device; fails when the broker says no. */
  connect(
    device: Pick<TestDevice, 'keyPem' | 'chainPem'> & { deviceUuid: string },
    options?: IClientOptions,
  ): Promise<MqttClient>;
  /** Says what a device says first. */
  sayBirth(client: MqttClient, device: TestDevice): Promise<void>;
  setCrls(crls: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** A real broker, a real authority, on loopback. */
export async function brokerWorld(
  options: {
    kind?: BrokerKind;
    clock?: Clock;
    config?: Partial<BrokerConfig>;
    lookUp?: (serial: string) => Promise<void>;
  } = {},
): Promise<BrokerWorld> {
  const { kind = 'aedes', clock = { now: () => Date.now() } } = options;
  const home = await mkdtemp(join(tmpdir(), 'ares-broker-'));
  const secrets = await openFileSecretStore({ dir: join(home, 'secrets') });
  const ca = await openLocalCertificateAuthority({ secrets, clock, config: { dir: join(home, 'ca') } });
  const server = await ca.signServer({ names: ['localhost', '127.0.0.1'] });
  const events: SecurityEvent[] = [];
  const statuses = new Map<string, Status>();
  const tls: Omit<BrokerTls, 'crls'> = {
    keyPem: server.keyPem,
    chainPem: server.chainPem,
    rootPem: ca.caCertificates.root,
  };
  const security = { report: (event: SecurityEvent) => void events.push(event) };
  const mosquitto =
    kind === 'mosquitto'
      ? await startDirectedMosquitto({
          folder: join(home, 'mosquitto'),
          ca,
          tls,
          security,
          clock,
          config: options.config ?? {},
          async accepted(serial, deviceUuid) {
            const row = statuses.get(serial);
            return row?.status === 'ACTIVE' && row.notAfter !== undefined && row.deviceUuid === deviceUuid
              ? { notAfter: row.notAfter }
              : undefined;
          },
        })
      : undefined;
  const crls = async (revoked: readonly RevokedCertificate[] = []) =>
    ca.crls([...revoked, ...((await mosquitto?.broker.turnCanaries()) ?? [])]);
  const broker =
    mosquitto === undefined
      ? await startBroker({
          tls: { ...tls, crls: await crls() },
          certificateStatus: async (serial) => {
            // As a query does that is answered with what the table held when it began.
            const row = statuses.get(serial);
            await options.lookUp?.(serial);
            return row;
          },
          security,
          clock,
          log: silentLogger,
          config: { host: '127.0.0.1', port: 0, ...options.config },
        })
      : { ...mosquitto.broker, port: mosquitto.port, link: mosquitto.link };
  const issue: BrokerWorld['issue'] = async ({ deviceUuid = randomUUID(), validityMs = 86_400_000 } = {}) => {
    const csr = await makeCsr();
    const issued = await ca.signDevice({ csr: csr.der, commonName: deviceUuid, validityMs });
    statuses.set(issued.serial, { deviceUuid, status: 'ACTIVE', notAfter: issued.notAfter });
    return { deviceUuid, serial: issued.serial, keyPem: csr.keyPem, chainPem: issued.chainPem };
  };
  const clients = new Set<MqttClient>();
  return {
    kind,
    ca,
    secrets,
    broker,
    mosquitto,
    events,
    statuses,
    issue,
    async issueApp(userEmail) {
      const app = await issue();
      statuses.set(app.serial, { ...statuses.get(app.serial)!, appOf: userEmail });
      return app;
    },
    crls,
    async connect(device, extra = {}) {
      const client = mqtt.connect({
        host: '127.0.0.1',
        port: broker.port,
        protocol: 'mqtts',
        protocolVersion: 4,
        clientId: device.deviceUuid,
        ca: [ca.caCertificates.root],
        key: device.keyPem,
        cert: device.chainPem,
        reconnectPeriod: 0,
        connectTimeout: 5_000,
        ...extra,
      });
      await new Promise<void>((done, fail) => {
        client.once('connect', () => done());
        client.once('error', fail);
        client.once('close', () => fail(new Error('closed without a word')));
      });
      client.on('error', () => undefined);
      clients.add(client);
      return client;
    },
    async sayBirth(client, device) {
      const birth = {
        mac: randomBytes(32).toString('hex'),
        v: 1,
        kid: 'a1.1',
        assignment: 1,
        bootId: randomBytes(16).toString('hex'),
        bootCount: 1,
        sentAt: clock.now(),
        uptimeMs: 1,
        cpuSerial: '00000000deadbeef',
        hardwareVersion: 'sim-1',
        hardwareVariant: 'greenhouse',
        event: 'online',
        connectionId: randomUUID(),
        certificateSerial: device.serial,
        agentVersion: '0.1.0',
      };
      await client.publishAsync(topics.connectionStatus.build(device), JSON.stringify(birth), { qos: 1 });
    },
    setCrls: async (lists) => broker.setTls({ ...tls, crls: lists }),
    async close() {
      for (const client of clients) await client.endAsync(true);
      await broker.close();
      await mosquitto?.stop();
    },
  };
}
