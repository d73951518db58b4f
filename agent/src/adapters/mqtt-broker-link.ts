import { isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { MqttClient } from 'mqtt';
import {
  type BrokerConnection,
  type BrokerLink,
  type ConnectOptions,
  LinkError,
  type LinkErrorCode,
} from '../ports/broker-link.ts';
import { connectByKnownTime } from './tls-by-known-time.ts';

const goodbyeTimeoutMs = 1_000;

/**
 * MQTT 3.1.1 over mutual TLS by mqtt.js, one client a connection: nothing of an old certificate, will or queue
 * reaches the next one, and when to connect again is not this adapter's to decide.
 *
 * @param options.knownTime epoch ms by the cloud's signed word, for the dates of certificates, where the system's clock
 * is not set; `null` where that is what counts
 */
export function createMqttBrokerLink(options: { readonly knownTime?: () => number | null } = {}): BrokerLink {
  return {
    async connect(to) {
      const time = options.knownTime?.() ?? null;
      const secured = time === null ? undefined : await secure(to, time);
      return await new Promise((resolve, reject) => attempt(to, secured, resolve, reject));
    },
  };
}

/** Before mqtt.js is there: it writes as soon as it has a socket. @throws {LinkError} */
async function secure(to: ConnectOptions, time: number): Promise<TLSSocket> {
  const { host, port, signal } = to;
  try {
    return await connectByKnownTime({
      host,
      port,
      ca: to.caCertificates,
      client: { cert: to.certificateChain, key: to.privateKeyPem },
      time,
      timeoutMs: to.connectTimeoutMs,
      signal,
    });
  } catch (cause) {
    if (signal?.aborted === true) throw stopped();
    throw classify(cause as Error, { secured: false, established: false });
  }
}

/** @param ready a connection whose peer has been checked; absent: one is made, and checked by OpenSSL alone */
function attempt(
  options: ConnectOptions,
  ready: TLSSocket | undefined,
  resolve: (connection: BrokerConnection) => void,
  reject: (error: LinkError) => void,
): void {
  let secured = ready !== undefined;
  let established = false;
  let fault: Error | undefined;
  let end: ((error: LinkError) => void) | undefined;
  const closed = new Promise<LinkError>((settle) => {
    end = settle;
  });

  const openSocket = (): TLSSocket => {
    const socket =
      ready ??
      connectTls({
        host: options.host,
        port: options.port,
        ...(isIP(options.host) === 0 && { servername: options.host }),
        ca: [...options.caCertificates],
        cert: options.certificateChain,
        key: options.privateKeyPem,
        minVersion: 'TLSv1.2',
      });
    // Packets are small and come in twos (PUBACK and result): the second would wait 40 ms for the ACK of the first.
    socket.setNoDelay(true);
    socket.once('secureConnect', () => {
      secured = true;
    });
    // mqtt.js swallows most errors of its stream; the reason is what the owner wants to know.
    socket.on('error', (error) => {
      fault ??= error;
    });
    return socket;
  };
  const client = new MqttClient(openSocket, {
    clientId: options.clientId,
    protocolVersion: 4,
    clean: true,
    keepalive: options.keepAliveSeconds,
    connectTimeout: options.connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // The cache of mqtt-packet costs 17 MB and never gives them back.
    writeCache: false,
    will: { topic: options.will.topic, payload: Buffer.from(options.will.payload), qos: 0, retain: false },
  });

  let silence: NodeJS.Timeout | undefined;
  const finish = (error: LinkError) => {
    clearTimeout(silence);
    options.signal?.removeEventListener('abort', onAbort);
    client.end(true);
    if (established) end?.(error);
    else reject(error);
  };
  const onAbort = () => finish(stopped());
  options.signal?.addEventListener('abort', onAbort, { once: true });

  client.on('message', (topic, payload) => options.onMessage({ topic, payload }));
  client.on('error', (error) => {
    fault ??= error;
    finish(classify(fault, { secured, established }));
  });
  client.on('close', () => finish(classify(fault, { secured, established })));
  client.on('connect', () => {
    // mqtt.js bounds the way to here, and waits for ever for the answer to a subscription.
    const detail = 'The broker lets this device in and does not answer any more; trying again.';
    silence = setTimeout(() => finish(new LinkError('NETWORK', detail)), options.connectTimeoutMs);
    client.subscribe([...options.subscribe], { qos: 1 }, (error, granted) => {
      clearTimeout(silence);
      const refused = granted?.find(({ qos }) => qos > 2);
      if (error !== null || refused !== undefined) {
        const topic = refused?.topic ?? options.subscribe.join(', ');
        return finish(
          new LinkError('NOT_AUTHORIZED', `The broker refuses the subscription ${topic}.`, { cause: error }),
        );
      }
      established = true;
      resolve(connectionOf(client, closed));
    });
  });
  if (options.signal?.aborted === true) onAbort();
}

function stopped(): LinkError {
  return new LinkError('CLOSED', 'The agent stopped connecting.');
}

function connectionOf(client: MqttClient, closed: Promise<LinkError>): BrokerConnection {
  return {
    closed,
    publish: ({ topic, payload }) =>
      new Promise((resolve, reject) => {
        client.publish(topic, Buffer.from(payload), { qos: 0 }, (error) => {
          if (error === null || error === undefined) resolve();
          else reject(new LinkError('CLOSED', 'The connection to the broker has ended.', { cause: error }));
        });
      }),
    close: async () => {
      client.end(false);
      // A peer that is gone never answers the good-bye.
      const force = setTimeout(() => client.stream.destroy(), goodbyeTimeoutMs);
      await closed;
      clearTimeout(force);
    },
  };
}

/** CONNACK return codes of MQTT 3.1.1 §3.2.2.3. */
const connackCodes: Readonly<Record<number, LinkErrorCode>> = {
  1: 'PROTOCOL',
  2: 'IDENTIFIER_REJECTED',
  3: 'BROKER_UNAVAILABLE',
  4: 'NOT_AUTHORIZED',
  5: 'NOT_AUTHORIZED',
};

function classify(fault: Error | undefined, at: { secured: boolean; established: boolean }): LinkError {
  const code = codeOf(fault, at);
  const reason = fault === undefined ? 'closed without a word' : fault.message || String(fault);
  return new LinkError(code, `${sentences[code]} (${reason})`, { cause: fault });
}

function codeOf(fault: Error | undefined, at: { secured: boolean; established: boolean }): LinkErrorCode {
  const code: unknown = fault !== undefined && 'code' in fault ? fault.code : undefined;
  if (typeof code === 'number' && code in connackCodes) return connackCodes[code] ?? 'PROTOCOL';
  if (fault?.message === 'Keepalive timeout') return 'KEEPALIVE';
  if (typeof code === 'string') {
    if (code === 'CERT_NOT_YET_VALID') return 'CLOCK_BEHIND';
    if (/^ERR_SSL_.*ALERT/.test(code)) return 'CERTIFICATE_REFUSED';
    if (serverFaults.test(code)) return 'SERVER_UNTRUSTED';
    if (/^ERR_SSL_|^EPROTO$/.test(code)) return 'PROTOCOL';
  }
  if (at.established) return 'CLOSED';
  // TLS 1.3 tells a client of its refused certificate after the handshake, often by nothing but a close.
  if (at.secured && (code === undefined || code === 'ECONNRESET' || code === 'EPIPE'))
    return 'CERTIFICATE_REFUSED';
  return 'NETWORK';
}

const serverFaults =
  /^(ERR_TLS_CERT_ALTNAME_INVALID|ERR_TLS_PEER|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_|PATH_LENGTH_|UNSPECIFIED|HOSTNAME_MISMATCH)/;

const sentences: Readonly<Record<LinkErrorCode, string>> = {
  NOT_AUTHORIZED: 'The broker does not let this device in; the cloud is asked for the reason.',
  CERTIFICATE_REFUSED:
    "The broker ended the connection because of this device's certificate; the cloud is asked for the reason.",
  CLOCK_BEHIND: 'A certificate is not valid yet: waiting for the clock to be set.',
  SERVER_UNTRUSTED:
    "The broker's certificate does not come from an authority of the trust file; not connecting.",
  NETWORK: 'The broker cannot be reached; trying again.',
  BROKER_UNAVAILABLE: 'The broker is not ready; trying again.',
  IDENTIFIER_REJECTED: 'The broker refuses the client id; the cloud is asked for the reason.',
  PROTOCOL: 'What answers there does not speak MQTT 3.1.1 over TLS; trying again.',
  KEEPALIVE: 'The broker stopped answering; connecting again.',
  CLOSED: 'The connection to the broker has ended; connecting again.',
};
