import { topics } from '@ares/protocol';
import { openMqttBrokerLink } from '../../cloud/src/adapters/mqtt-broker-link.ts';
import type { BenchCloud } from './bench-cloud.ts';

export interface MessageSizes {
  /** Bytes of each message of readings since the start. */
  readonly sizes: readonly number[];
  close(): Promise<void>;
}

/** Listens at the broker with the certificate of a service. */
export async function countMessages(cloud: BenchCloud): Promise<MessageSizes> {
  const { authority } = await cloud.openKeys();
  const commonName = 'ares-bench';
  const { keyPem, chainPem } = await authority.signService({ commonName });
  const link = await openMqttBrokerLink({
    config: {
      host: '127.0.0.1',
      port: cloud.mqttPort,
      commonName,
      keyPem,
      chainPem,
      rootPem: authority.caCertificates.root,
    },
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const sizes: number[] = [];
  await link.subscribe([topics.componentStatus.filter()], (_topic, payload) => sizes.push(payload.length));
  return { sizes, close: () => link.close() };
}
