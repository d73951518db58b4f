import { openMqttBrokerLink } from '../../src/adapters/mqtt-broker-link.ts';
import type { BrokerLink } from '../../src/ports/broker-link.ts';
import type { BrokerWorld } from './broker-world.ts';
import { silentLogger } from './quiet.ts';

/** A process of the cloud beside the broker, with the rights of its name. */
export async function openService(
  world: Pick<BrokerWorld, 'mosquitto' | 'broker' | 'ca'>,
  commonName: string,
): Promise<BrokerLink> {
  if (world.mosquitto !== undefined) return world.mosquitto.openLink(commonName);
  return openMqttBrokerLink({
    config: {
      host: '127.0.0.1',
      port: world.broker.port,
      commonName,
      rootPem: world.ca.caCertificates.root,
      ...(await world.ca.signService({ commonName })),
    },
    log: silentLogger,
  });
}
