import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { filterMatches } from '@ares/protocol';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { type BrokerLink, BrokerLinkError, type MessageHandler } from '../ports/broker-link.ts';
import type { Logger } from '../ports/logger.ts';

export interface MqttLinkConfig {
  readonly host: string;
  readonly port: number;
  /** CN of the service certificate, which begins with `ares-`. */
  readonly commonName: string;
  readonly keyPem: string;
  readonly chainPem: string;
  readonly rootPem: string;
  /** Where the listener for services asks for a login beside the certificate. */
  readonly password?: string;
  /** The broker knows `$share`. The embedded one does not: it takes such a filter and never delivers. */
  readonly sharedSubscriptions?: boolean;
}

/** Key and certificate of the client, PEM. */
type ServiceCredentials = Pick<MqttLinkConfig, 'keyPem' | 'chainPem'>;

export interface MqttBrokerLink extends BrokerLink {
  /** For connections to come; the broker ends the one that lives when its certificate does. */
  setCredentials(credentials: ServiceCredentials): void;
}

const PUBLISH_TIMEOUT_MS = 5_000;

type Subscription = { readonly filters: readonly string[]; readonly handler: MessageHandler };

/**
 * A client of the broker with a service certificate: for processes that the broker does not live in. It connects
 * again by itself; nothing is kept for a broker that is away.
 * @throws {BrokerLinkError} NOT_CONNECTED when the first connection fails
 */
export async function openMqttBrokerLink(options: {
  readonly config: MqttLinkConfig;
  readonly log: Logger;
  /** Called at each connection, the first one too. */
  readonly up?: () => void;
}): Promise<MqttBrokerLink> {
  const { config, log, up = () => undefined } = options;
  const subscriptions = new Set<Subscription>();
  const settings = settingsOf(config);
  const client = await connect(settings);
  // Packets are small: the second of two would wait up to 40 ms for the ACK of the first.
  const sendAtOnce = () => (client.stream as Partial<Socket>).setNoDelay?.(true);
  sendAtOnce();
  client.on('connect', sendAtOnce);
  queueMicrotask(up);
  client.on('connect', up);
  client.on('error', (error) => log.warn({ error: error.message }, 'the link to the broker has an error'));
  client.on('offline', () => log.warn({}, 'the link to the broker is down'));
  client.on('connect', () => log.info({}, 'the link to the broker is up'));
  client.on('message', (topic, payload) => {
    for (const { filters, handler } of subscriptions)
      if (filters.some((filter) => filterMatches(filter, topic))) handler(topic, payload);
  });

  return {
    async publish(topic, payload, { qos = 0 } = {}) {
      if (!client.connected) throw new BrokerLinkError('NOT_CONNECTED', 'The broker is not connected.');
      await withTimeout(client.publishAsync(topic, Buffer.from(payload as Uint8Array), { qos }));
    },
    async subscribe(filters, handler, { group } = {}) {
      const shared = group !== undefined && config.sharedSubscriptions === true;
      const wanted = filters.map((filter) => (shared ? `$share/${group}/${filter}` : filter));
      const subscription = { filters, handler };
      subscriptions.add(subscription);
      const granted = await client.subscribeAsync(wanted, { qos: 0 }).catch((cause: Error) => {
        subscriptions.delete(subscription);
        throw new BrokerLinkError('REFUSED', `The broker refused a subscription: ${cause.message}`, {
          cause,
        });
      });
      if (granted.some(({ qos }) => Number(qos) === 128)) {
        subscriptions.delete(subscription);
        throw new BrokerLinkError('REFUSED', 'The broker refused a subscription.');
      }
      return async () => {
        subscriptions.delete(subscription);
        if (client.connected) await client.unsubscribeAsync(wanted);
      };
    },
    connected: () => client.connected,
    setCredentials({ keyPem, chainPem }) {
      // The library reads its settings anew for each connection.
      settings.key = keyPem;
      settings.cert = chainPem;
    },
    async close() {
      await client.endAsync(true);
    },
  };
}

function settingsOf(config: MqttLinkConfig): IClientOptions {
  return {
    host: config.host,
    port: config.port,
    protocol: 'mqtts',
    protocolVersion: 4,
    clientId: `${config.commonName}-${randomBytes(8).toString('hex')}`,
    clean: true,
    ...(config.password !== undefined && { username: config.commonName, password: config.password }),
    key: config.keyPem,
    cert: config.chainPem,
    ca: [config.rootPem],
    reconnectPeriod: 500,
    // Otherwise a broker that starts slowly, or whose database is away, is given up after one CONNACK.
    reconnectOnConnackError: true,
    queueQoSZero: false,
    resubscribe: true,
  };
}

async function connect(settings: IClientOptions): Promise<MqttClient> {
  try {
    return await connectAsync(settings);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new BrokerLinkError(
      'NOT_CONNECTED',
      `The broker at ${settings.host}:${settings.port} cannot be reached: ${text}`,
      {
        cause,
      },
    );
  }
}

/** A QoS 1 promise of the library stays open for ever when the connection is lost. */
async function withTimeout(sent: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(
      () => fail(new BrokerLinkError('NOT_CONNECTED', 'The broker did not answer in time.')),
      PUBLISH_TIMEOUT_MS,
    );
  });
  try {
    await Promise.race([sent, late]);
  } catch (cause) {
    if (cause instanceof BrokerLinkError) throw cause;
    throw new BrokerLinkError('NOT_CONNECTED', 'The broker did not take the message.', { cause });
  } finally {
    clearTimeout(timer);
  }
}
