import type { Client } from 'aedes';
import type { Clock } from '../ports/clock.ts';
import type { AppRights } from '../ports/device-broker.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import { createWindow } from './aedes-rate.ts';
import type { Peer, Rights } from './aedes-rights.ts';

/** One connection that was let in. */
export interface Session {
  readonly client: Client;
  readonly peer: Peer;
  readonly rights: Rights;
  /** Lower-case hex. */
  readonly certificateSerial: string;
  /** Epoch ms. */
  readonly certificateEndsAt: number;
  readonly since: number;
  /** Set by the first message on the device's own connection topic. */
  born: boolean;
  /** Ms to wait before the next message is handled. */
  readonly pace: () => number;
  /** How many refused publishes and subscribes there were in the last minute, this one included. */
  readonly countDenied: () => number;
  subscriptions: number;
}

export interface Sessions {
  of(client: Client | null): Session | undefined;
  /** Call when a connection was let in, before the broker registers it. */
  add(session: Session): void;
  remove(client: Client): void;
  /** Ends the device's connection; says whether there was one. */
  end(deviceUuid: string, reason: string): boolean;
  devices(): readonly string[];
  /** Serial numbers of the certificates by which devices are connected. */
  certificates(): readonly string[];
  /** Ends the devices' connections that were made with one of these certificates. */
  endThoseOf(serials: ReadonlySet<string>, reason: string): void;
  /** Ends the connections of apps that are not among these, or have another user now. */
  endAppsBut(apps: AppRights): void;
  /** Ends what must not last: expired certificates, connections that sent no birth. */
  sweep(): void;
}

const MINUTE_MS = 60_000;
/** Take-overs within a minute that one device does not cause by itself. */
const CLONE_TAKE_OVERS = 3;

export function createSessions(options: {
  readonly clock: Clock;
  readonly security: SecurityReporter;
  readonly ended: (session: Session, reason: string) => void;
  readonly config: { readonly birthWithinMs: number };
}): Sessions {
  const { clock, security, ended, config } = options;
  const byClient = new Map<Client, Session>();
  const byDevice = new Map<string, Session>();
  const takeOvers = new Map<string, { count: () => number; at: number }>();

  const close = (session: Session, reason: string) => {
    ended(session, reason);
    session.client.close();
  };
  const countTakeOver = (deviceUuid: string) => {
    const entry = takeOvers.get(deviceUuid) ?? {
      count: createWindow(MINUTE_MS, () => clock.now()),
      at: 0,
    };
    entry.at = clock.now();
    takeOvers.set(deviceUuid, entry);
    const count = entry.count();
    if (count >= CLONE_TAKE_OVERS)
      security.report({ code: 'CLONE_SUSPECTED', deviceUuid, detail: { takeOversInAMinute: count } });
  };

  return {
    of: (client) => (client === null ? undefined : byClient.get(client)),
    add(session) {
      byClient.set(session.client, session);
      if (session.peer.kind !== 'device') return;
      const { deviceUuid } = session.peer;
      if (byDevice.has(deviceUuid)) countTakeOver(deviceUuid);
      byDevice.set(deviceUuid, session);
    },
    remove(client) {
      const session = byClient.get(client);
      byClient.delete(client);
      if (session?.peer.kind !== 'device') return;
      if (byDevice.get(session.peer.deviceUuid) === session) byDevice.delete(session.peer.deviceUuid);
    },
    end(deviceUuid, reason) {
      const session = byDevice.get(deviceUuid);
      if (session !== undefined) close(session, reason);
      return session !== undefined;
    },
    devices: () => [...byDevice.keys()],
    certificates: () => [...byDevice.values()].map(({ certificateSerial }) => certificateSerial),
    endThoseOf(serials, reason) {
      for (const session of byDevice.values())
        if (serials.has(session.certificateSerial)) close(session, reason);
    },
    endAppsBut(apps) {
      for (const session of byClient.values()) {
        const { peer } = session;
        if (peer.kind === 'app' && apps.get(peer.appUuid)?.userEmail !== peer.userEmail)
          close(session, 'the rights of the app ended');
      }
    },
    sweep() {
      const now = clock.now();
      for (const session of byClient.values()) {
        if (now >= session.certificateEndsAt) close(session, 'certificate expired');
        else if (
          session.peer.kind === 'device' &&
          !session.born &&
          now - session.since > config.birthWithinMs
        )
          close(session, 'no birth');
      }
      for (const [deviceUuid, { at }] of takeOvers) if (now - at > MINUTE_MS) takeOvers.delete(deviceUuid);
    },
  };
}
