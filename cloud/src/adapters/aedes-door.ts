import type { TLSSocket } from 'node:tls';
import type { AedesOptions, Client } from 'aedes';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import {
  type Admitted,
  type CertificateStatusLookup,
  ConnectionRefused,
  type ConnectRequest,
  checkStatus,
  identify,
} from './aedes-admission.ts';
import { createPacer, createWindow, type Rate } from './aedes-rate.ts';
import { rightsOf } from './aedes-rights.ts';
import type { Sessions } from './aedes-sessions.ts';

export interface Door {
  readonly handlers: Required<Pick<AedesOptions, 'preConnect' | 'authenticate'>>;
  /** Connections of the device that are being let in are looked up again. */
  recheck(deviceUuid: string): void;
  /** The same for all connections that are being let in. */
  recheckAll(): void;
  /** Topic of the checked will of a connection that was let in; it goes out when the session is gone already. */
  willTopicOf(client: Client): string | undefined;
}

const MINUTE_MS = 60_000;

/** Lets connections in, or says no with a CONNACK. */
export function createDoor(options: {
  readonly sessions: Sessions;
  readonly certificateStatus: CertificateStatusLookup;
  readonly security: SecurityReporter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly publishRate: Rate;
}): Door {
  const { sessions, certificateStatus, security, clock, log, publishRate } = options;
  const requests = new WeakMap<Client, ConnectRequest>();
  const wills = new WeakMap<Client, string>();
  /** Look-ups under way, by device: a revocation that comes meanwhile makes their answer worthless. */
  const pending = new Map<string, Set<{ stale: boolean }>>();

  const lookUp = async (admitted: Admitted): Promise<Admitted> => {
    if (admitted.peer.kind !== 'device') return admitted;
    const { deviceUuid } = admitted.peer;
    const token = { stale: false };
    const tokens = pending.get(deviceUuid) ?? new Set();
    pending.set(deviceUuid, tokens.add(token));
    try {
      for (;;) {
        token.stale = false;
        const found = await checkStatus(admitted, certificateStatus);
        if (!token.stale) return found;
      }
    } finally {
      tokens.delete(token);
      if (tokens.size === 0) pending.delete(deviceUuid);
    }
  };

  const letIn = async (client: Client): Promise<void> => {
    const request = requests.get(client);
    if (request === undefined) throw new ConnectionRefused(5, 'no CONNECT was seen');
    const admitted = await lookUp(identify(client.conn as TLSSocket, request, clock));
    if (request.will !== undefined) wills.set(client, request.will.topic);
    sessions.add({
      client,
      ...admitted,
      rights: rightsOf(admitted.peer),
      since: clock.now(),
      born: false,
      // Real time: a pace is about the load of this process.
      pace: admitted.peer.kind !== 'service' ? createPacer(publishRate, () => performance.now()) : () => 0,
      countDenied: createWindow(MINUTE_MS, () => clock.now()),
      subscriptions: 0,
    });
  };

  return {
    handlers: {
      preConnect(client, packet, done) {
        const { will } = packet;
        requests.set(client, {
          clientId: packet.clientId,
          keepalive: packet.keepalive ?? 0,
          will: will && {
            topic: will.topic,
            payload: Buffer.from(will.payload),
            retain: will.retain === true,
          },
        });
        // Sessions end with their connection: what is queued for the absent would grow without bound.
        packet.clean = true;
        done(null, true);
      },
      authenticate(client, _username, _password, done) {
        letIn(client).then(
          () => done(null, true),
          (error: unknown) => {
            const refused =
              error instanceof ConnectionRefused ? error : new ConnectionRefused(3, String(error));
            log.info({ client: client.id, reason: refused.message }, 'a connection was refused');
            if (refused.code !== undefined)
              security.report({
                code: refused.code,
                ...(refused.deviceUuid !== undefined && { deviceUuid: refused.deviceUuid }),
                detail: { reason: refused.message },
              });
            done(refused, false);
          },
        );
      },
    },
    willTopicOf: (client) => wills.get(client),
    recheck(deviceUuid) {
      for (const token of pending.get(deviceUuid) ?? []) token.stale = true;
    },
    recheckAll() {
      for (const tokens of pending.values()) for (const token of tokens) token.stale = true;
    },
  };
}
