import { startBroker } from './adapters/aedes-broker.ts';
import { createLateBrokerLink } from './adapters/late-broker-link.ts';
import { type MqttBrokerLink, type MqttLinkConfig, openMqttBrokerLink } from './adapters/mqtt-broker-link.ts';
import { appRepository } from './apps/repository.ts';
import { startAppRights } from './compose-apps.ts';
import { type Foundation, renewDaily } from './compose-foundation.ts';
import { servicePassword, startMosquittoRole } from './compose-mosquitto.ts';
import { signBrokerCertificate, watchSessions } from './compose-sessions.ts';
import { createRevocationService } from './pki/revocation-list.ts';
import type { BrokerLink } from './ports/broker-link.ts';
import type { BrokerTls } from './ports/device-broker.ts';
import type { SecurityReporter } from './ports/security-reporter.ts';

/** What a process needs of the broker: a way to it where it sends or hears, and whether it is there. */
export interface BrokerAccess {
  /** Absent in a process that neither sends nor hears. */
  readonly link: BrokerLink | undefined;
  readonly connected: () => boolean;
}

/** Runs the embedded broker or directs Mosquitto where that is this process's role, and opens the way to it. */
export async function openBroker(
  foundation: Foundation,
  security: SecurityReporter,
  stack: AsyncDisposableStack,
): Promise<BrokerAccess | undefined> {
  const { roles, mosquitto } = foundation.config;
  const directs = roles.has('broker');
  if (directs && mosquitto === undefined) {
    const link = await startBrokerRole(foundation, security, stack);
    return { link, connected: () => link.connected() };
  }
  const directed = directs ? await startMosquittoRole(foundation, security, stack) : undefined;
  const name = serviceNameOf(roles);
  if (name === undefined) return directed && { link: undefined, connected: () => directed.connected() };
  const link = await connectToBroker(foundation, name, stack);
  return { link, connected: () => link.connected() };
}

function serviceNameOf(roles: ReadonlySet<string>): `ares-${string}` | undefined {
  if (roles.has('api')) return roles.has('ingest') ? 'ares-cloud' : 'ares-api';
  return roles.has('ingest') ? 'ares-ingest' : undefined;
}

/** The embedded broker with its revocation lists; ends sessions that any process of the cloud wants ended. */
async function startBrokerRole(
  foundation: Foundation,
  security: SecurityReporter,
  stack: AsyncDisposableStack,
): Promise<BrokerLink> {
  const { config, database, authority, certificates, clock, log, ports } = foundation;
  const revocations = createRevocationService({ database, authority, clock, log });
  const lookUpApp = async (serial: string) => {
    const app = await appRepository.bySerial(database.db, serial, new Date(clock.now()));
    return app && { deviceUuid: app.appUuid, status: 'ACTIVE', appOf: app.userEmail };
  };
  await revocations.start();
  stack.defer(() => revocations.stop());

  let server = await signBrokerCertificate(foundation);
  const tls = (): BrokerTls => ({
    keyPem: server.keyPem,
    chainPem: server.chainPem,
    rootPem: authority.caCertificates.root,
    crls: revocations.lists(),
  });
  const broker = await startBroker({
    tls: tls(),
    certificateStatus: async (serial) => (await certificates.lookUp(serial)) ?? (await lookUpApp(serial)),
    security,
    clock,
    log,
    config: { host: config.mqtt.bind, port: ports.mqtt },
  });
  stack.defer(() => broker.close());
  stack.defer(revocations.onPublished(() => broker.setTls(tls())));
  watchSessions(foundation, broker, stack);
  startAppRights(foundation, broker, stack);
  renewDaily(foundation, stack, 'the certificate of the broker', async () => {
    server = await signBrokerCertificate(foundation);
    broker.setTls(tls());
  });
  return broker.link;
}

/** Where and how a part of the cloud reaches the broker, but for its certificate. */
export async function serviceTarget(
  { authority, config, ports, secrets }: Pick<Foundation, 'authority' | 'config' | 'ports' | 'secrets'>,
  commonName: string,
): Promise<Omit<MqttLinkConfig, 'keyPem' | 'chainPem'>> {
  const { mosquitto } = config;
  const rootPem = authority.caCertificates.root;
  if (mosquitto === undefined) return { host: config.mqtt.host, port: ports.mqtt, commonName, rootPem };
  return {
    host: mosquitto.host,
    port: mosquitto.services.port,
    commonName,
    rootPem,
    password: await servicePassword(secrets, commonName),
    sharedSubscriptions: true,
  };
}

/** The way to a broker that lives in another process, also to one that is not there yet. */
async function connectToBroker(
  foundation: Foundation,
  commonName: `ares-${string}`,
  stack: AsyncDisposableStack,
): Promise<BrokerLink> {
  const { authority, log } = foundation;
  const target = await serviceTarget(foundation, commonName);
  let credentials = await authority.signService({ commonName });
  let opened: MqttBrokerLink | undefined;
  const link = createLateBrokerLink({
    async open() {
      opened = await openMqttBrokerLink({ config: { ...target, ...credentials }, log });
      return opened;
    },
    log,
  });
  stack.defer(() => link.close());
  renewDaily(foundation, stack, 'the certificate of this process', async () => {
    credentials = await authority.signService({ commonName });
    opened?.setCredentials(credentials);
  });
  return link;
}
