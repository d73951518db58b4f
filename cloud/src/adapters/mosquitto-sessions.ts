import { parseConnectionMessage, topics } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import { createWindow } from './aedes-rate.ts';
import type { ClientEvent } from './mosquitto-log.ts';

/** The certificate with this serial number if the tables accept it for this device. */
export type AcceptedCertificate = (
  serial: string,
  deviceUuid: string,
) => Promise<{ readonly notAfter: Date } | undefined>;

interface Session {
  readonly since: number;
  /** Of the birth; until then it is not known by which certificate the device came. */
  serial?: string;
  /** Epoch ms; absent while the tables were not asked. */
  endsAt?: number;
}

/** Which devices are connected to a broker in another process, by its log and by what they say. */
export interface MosquittoSessions {
  heardLog(event: ClientEvent): void;
  /** A message on the connection topic of a device. */
  heardConnection(topic: string, payload: Uint8Array): void;
  devices(): readonly string[];
  certificates(): readonly string[];
  devicesOf(serials: ReadonlySet<string>): readonly string[];
  /** Who must go, and why: no birth in time, a certificate that has ended or is not accepted. */
  due(): Promise<ReadonlyMap<string, string>>;
  /** Nothing is known any more: the log was not heard for a while. */
  clear(): void;
}

const MINUTE_MS = 60_000;
/** Take-overs within a minute that one device does not cause by itself. */
const CLONE_TAKE_OVERS = 3;

export function createMosquittoSessions(options: {
  readonly clock: Clock;
  readonly security: SecurityReporter;
  readonly accepted: AcceptedCertificate;
  readonly config: { readonly birthWithinMs: number };
}): MosquittoSessions {
  const { clock, security, accepted, config } = options;
  const sessions = new Map<string, Session>();
  const takeOvers = new Map<string, { count: () => number; at: number }>();

  const tookOver = (deviceUuid: string) => {
    const entry = takeOvers.get(deviceUuid) ?? { count: createWindow(MINUTE_MS, () => clock.now()), at: 0 };
    entry.at = clock.now();
    takeOvers.set(deviceUuid, entry);
    const takeOversInAMinute = entry.count();
    if (takeOversInAMinute >= CLONE_TAKE_OVERS)
      security.report({ code: 'CLONE_SUSPECTED', deviceUuid, detail: { takeOversInAMinute } });
  };

  return {
    heardLog({ kind, name }) {
      if (kind === 'connected') sessions.set(name, { since: clock.now() });
      else if (kind === 'taken-over') tookOver(name);
      else sessions.delete(name);
    },
    heardConnection(topic, payload) {
      const deviceUuid = topics.connectionStatus.parse(topic)?.deviceUuid;
      if (deviceUuid === undefined) return;
      const serial = serialOf(payload);
      if (serial === undefined) return;
      // The broker lets nobody speak on this topic but who has the device's certificate. Which one it has is looked
      // up; one that names another's only ends its own session.
      sessions.set(deviceUuid, { since: sessions.get(deviceUuid)?.since ?? clock.now(), serial });
    },
    devices: () => [...sessions.keys()],
    certificates: () =>
      [...sessions.values()].flatMap(({ serial }) => (serial === undefined ? [] : [serial])),
    devicesOf: (serials) =>
      [...sessions]
        .filter(([, { serial }]) => serial !== undefined && serials.has(serial))
        .map(([uuid]) => uuid),
    async due() {
      const now = clock.now();
      const found = new Map<string, string>();
      for (const [deviceUuid, session] of [...sessions]) {
        if (session.serial === undefined) {
          if (now - session.since > config.birthWithinMs) found.set(deviceUuid, 'no birth');
          continue;
        }
        if (session.endsAt === undefined) {
          const certificate = await accepted(session.serial, deviceUuid);
          if (certificate === undefined) found.set(deviceUuid, 'its certificate is not accepted');
          else session.endsAt = certificate.notAfter.getTime();
        }
        if (session.endsAt !== undefined && now >= session.endsAt)
          found.set(deviceUuid, 'certificate expired');
      }
      for (const [deviceUuid, { at }] of takeOvers) if (now - at > MINUTE_MS) takeOvers.delete(deviceUuid);
      return found;
    },
    clear: () => sessions.clear(),
  };
}

/** The certificate that a birth names; it is read, not verified. */
function serialOf(payload: Uint8Array): string | undefined {
  try {
    const { mac: _, ...rest } = JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>;
    const parsed = parseConnectionMessage(rest);
    return parsed.ok && parsed.value.event === 'online' ? parsed.value.certificateSerial : undefined;
  } catch {
    return undefined;
  }
}
