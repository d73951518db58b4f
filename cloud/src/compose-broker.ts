import { type BrokerTls, startBroker } from './adapters/aedes-broker.ts';
import { createLateBrokerLink } from './adapters/late-broker-link.ts';
import { type MqttBrokerLink, openMqttBrokerLink } from './adapters/mqtt-broker-link.ts';
import { type Foundation, renewDaily } from './compose-foundation.ts';
import { createRevocationService } from './pki/revocation-list.ts';
import { endSessionsOnNotice } from './pki/session-end.ts';
import type { BrokerLink } from './ports/broker-link.ts';
import type { SecurityReporter } from './ports/security-reporter.ts';
import { createStateRepository } from './state/repository.ts';

const TOUCH_MS = 20_000;

/** The embedded broker with its revocation lists; ends sessions that any process of the cloud wants ended. */
export async function startBrokerRole(
  foundation: Foundation,
  security: SecurityReporter,
  stack: AsyncDisposableStack,
): Promise<BrokerLink> {
  const { config, database, authority, certificates, clock, log, ports } = foundation;
  const revocations = createRevocationService({ database, authority, clock, log });
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
    certificateStatus: certificates.lookUp,
    security,
    clock,
    log,
    config: { host: config.mqtt.bind, port: ports.mqtt },
  });
  stack.defer(() => broker.close());
  stack.defer(revocations.onPublished(() => broker.setTls(tls())));
  stack.defer(endSessionsOnNotice({ broker, database, certificates, log }));
  // A device with nothing to say is alive as long as its connection is.
  const seen = createStateRepository(database);
  const touch = setInterval(() => {
    const now = clock.now();
    const devices = new Map(broker.connectedDevices().map((deviceUuid) => [deviceUuid, now]));
    if (devices.size === 0) return;
    seen
      .saveLastSeen(devices)
      .catch((error: Error) => log.warn({ error: error.message }, 'who is connected was not written down'));
  }, TOUCH_MS);
  stack.defer(() => clearInterval(touch));
  renewDaily(foundation, stack, 'the certificate of the broker', async () => {
    server = await signBrokerCertificate(foundation);
    broker.setTls(tls());
  });
  return broker.link;
}

function signBrokerCertificate({ authority, config }: Foundation) {
  return authority.signServer({ names: serverNames(config.mqtt.host) });
}

/** The announced name, and the loopback names for processes beside. */
export function serverNames(host: string): string[] {
  return [...new Set([host, 'localhost', '127.0.0.1'])];
}

/** The way to a broker that lives in another process, also to one that is not there yet. */
export async function connectToBroker(
  foundation: Foundation,
  commonName: `ares-${string}`,
  stack: AsyncDisposableStack,
): Promise<BrokerLink> {
  const { authority, config, ports, log } = foundation;
  const rootPem = authority.caCertificates.root;
  const target = { host: config.mqtt.host, port: ports.mqtt, commonName, rootPem };
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
