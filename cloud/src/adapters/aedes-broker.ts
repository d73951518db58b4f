import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { MAX_SIGNED_MESSAGE_BYTES } from '@ares/protocol';
import { Aedes, type Client } from 'aedes';
import type { BrokerLink } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { BrokerTls, DeviceBroker } from '../ports/device-broker.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import type { CertificateStatusLookup } from './aedes-admission.ts';
import { createDoor } from './aedes-door.ts';
import { createPacketGuard, guardReads } from './aedes-packet-guard.ts';
import type { Rate } from './aedes-rate.ts';
import { createSessions } from './aedes-sessions.ts';
import { createTraffic } from './aedes-traffic.ts';
import { createInProcessBrokerLink } from './in-process-broker-link.ts';

export interface BrokerConfig {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** A session that sends no birth within this ends. Default 30 s. */
  readonly birthWithinMs?: number;
  /** Default 5 s. */
  readonly sweepEveryMs?: number;
  /** For one device. Default 300 a second, 600 at once. */
  readonly publishRate?: Rate;
}

/** The MQTT broker that lives in a process of Ares. MQTT 3.1.1 over mutual TLS; nobody connects without it. */
export interface EmbeddedBroker extends DeviceBroker {
  readonly host: string;
  readonly port: number;
  /** The way in for the same process. */
  readonly link: BrokerLink;
  setTls(tls: BrokerTls): void;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A client that does not read what is sent to it for so long is gone. */
const DRAIN_TIMEOUT_MS = 15_000;
/** A signed message, its topic and the rest of its header. */
const LARGEST_PACKET_BYTES = MAX_SIGNED_MESSAGE_BYTES + 2_048;
/** CONNECT with a will; anything larger from a stranger is refused. */
const LARGEST_FIRST_PACKET_BYTES = 8_192;

export async function startBroker(options: {
  readonly tls: BrokerTls;
  readonly certificateStatus: CertificateStatusLookup;
  readonly security: SecurityReporter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly config: BrokerConfig;
}): Promise<EmbeddedBroker> {
  const { security, clock, log, config } = options;
  const sessions = createSessions({
    clock,
    security,
    ended: (session, reason) => log.info({ client: session.client.id, reason }, 'a session was ended'),
    config: { birthWithinMs: config.birthWithinMs ?? 30_000 },
  });
  const door = createDoor({
    ...options,
    sessions,
    publishRate: config.publishRate ?? { perSecond: 300, burst: 600 },
  });
  const traffic = createTraffic({ sessions, willTopicOf: door.willTopicOf, security, log });
  const aedes = await Aedes.createBroker({
    ...door.handlers,
    ...traffic,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // No common queue: it would let one slow reader hold up everybody, and it is worked off by recursion, so a few
    // thousand messages for nobody overflow the stack. What each publisher has under way is bounded by its socket.
    concurrency: 0,
    drainTimeout: DRAIN_TIMEOUT_MS,
    maxClientsIdLength: 64,
    maxTopicLevels: 10,
    queueLimit: 100,
  });
  aedes.on('clientDisconnect', (client: Client) => sessions.remove(client));
  aedes.on('clientError', (client: Client, error: Error) => {
    log.debug({ client: client.id, error: error.message }, 'a connection failed');
  });
  aedes.on('connectionError', (_client: Client, error: Error) =>
    log.debug({ error: error.message }, 'a connection failed before it was let in'),
  );

  const sockets = new Set<TLSSocket>();
  const server = createServer(
    // Without delay: an order that follows a PUBACK would wait up to 40 ms for the ACK of its TCP segment.
    { ...tlsOptions(options.tls), handshakeTimeout: CONNECT_TIMEOUT_MS, noDelay: true },
    (socket) => {
      sockets.add(socket);
      socket.on('close', () => {
        sockets.delete(socket);
        // A client that ended before it was registered is never announced as gone.
        if (client !== undefined) sessions.remove(client);
      });
      socket.setKeepAlive(true, 30_000);
      let client: Client | undefined;
      const limit = () =>
        client !== undefined && sessions.of(client) !== undefined
          ? LARGEST_PACKET_BYTES
          : LARGEST_FIRST_PACKET_BYTES;
      guardReads(socket, createPacketGuard(limit), () => {
        const peer = sessions.of(client ?? null)?.peer;
        const deviceUuid = peer?.kind === 'device' ? { deviceUuid: peer.deviceUuid } : {};
        security.report({ code: 'PACKET_TOO_LARGE', ...deviceUuid });
        socket.destroy();
      });
      client = aedes.handle(socket);
    },
  );
  server.on('tlsClientError', (error) => log.debug({ error: error.message }, 'a TLS handshake failed'));
  server.listen(config.port, config.host);
  await once(server, 'listening');

  const sweep = setInterval(() => sessions.sweep(), config.sweepEveryMs ?? 5_000);
  return {
    host: config.host,
    port: (server.address() as AddressInfo).port,
    link: createInProcessBrokerLink(aedes),
    setTls: (tls) => server.setSecureContext(tlsOptions(tls)),
    endSession(deviceUuid, reason) {
      door.recheck(deviceUuid);
      sessions.end(deviceUuid, reason);
    },
    async recheckSessions(refused) {
      door.recheckAll();
      sessions.endThoseOf(await refused(sessions.certificates()), 'no longer accepted');
    },
    async syncApps(apps) {
      // One that is being let in may have been looked up before its rights ended.
      door.recheckAll();
      sessions.endAppsBut(apps);
    },
    connectedDevices: () => sessions.devices(),
    async close() {
      clearInterval(sweep);
      const closed = new Promise((done) => server.close(done));
      await new Promise<void>((done) => aedes.close(done));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** `rejectUnauthorized: false`: the door refuses with a CONNACK, which a device can tell from a broken network. */
function tlsOptions(
  tls: BrokerTls,
): SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean } {
  return {
    key: tls.keyPem,
    cert: tls.chainPem,
    ca: [tls.rootPem],
    crl: [...tls.crls],
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: false,
  };
}
