import { BrokerLinkError } from '../ports/broker-link.ts';
import type { RevokedCertificate } from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';
import type { BrokerTls, DeviceBroker } from '../ports/device-broker.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import { createLateBrokerLink } from './late-broker-link.ts';
import { createMosquittoApps } from './mosquitto-apps.ts';
import type { MosquittoSettings } from './mosquitto-conf.ts';
import { type MosquittoControl, openMosquittoControl } from './mosquitto-control.ts';
import { prepareMosquittoFolder, reloadedFiles, type ServiceLogin } from './mosquitto-files.ts';
import { readLogLine } from './mosquitto-log.ts';
import { type Canary, createMosquittoPublisher } from './mosquitto-publisher.ts';
import { type AcceptedCertificate, createMosquittoSessions } from './mosquitto-sessions.ts';
import { openMqttBrokerLink } from './mqtt-broker-link.ts';

/** A Mosquitto in another process, directed by this one: its files, its sessions, its rights. */
export interface MosquittoBroker extends DeviceBroker {
  setTls(tls: BrokerTls): Promise<void>;
  /** What the next revocation list must name beside the revoked. */
  turnCanaries(): Promise<readonly RevokedCertificate[]>;
  /** Whether the broker is there. */
  connected(): boolean;
}

export interface MosquittoOptions {
  readonly settings: MosquittoSettings;
  /** Name or address by which this process reaches the listener for devices. */
  readonly host: string;
  readonly rootPem: string;
  readonly acls: { readonly devices: string; readonly services: string };
  readonly logins: readonly ServiceLogin[];
  /** A certificate `ares-broker`. */
  readonly credentials: () => Promise<{ readonly keyPem: string; readonly chainPem: string }>;
  readonly issueCanary: () => Promise<Canary>;
  readonly accepted: AcceptedCertificate;
  /** Devices that are thought to be connected; asked when this process may have missed who came. */
  readonly online: () => Promise<string[]>;
  readonly security: SecurityReporter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly config?: {
    /** A session that sends no birth within this ends. Default 30 s. */
    readonly birthWithinMs?: number;
    /** Default 5 s. */
    readonly sweepEveryMs?: number;
    readonly provedWithinMs?: number;
  };
}

/** Publications after which a device whose session ended is ended again: one may have been under way already. */
const ENDED_AGAIN = 2;
const MOST_AT_ONCE = 100;
/** Devices from before that are asked to come again in one sweep: a fleet must not come all at once. */
const UNKNOWN_AT_ONCE = 500;
const COMMON_NAME = 'ares-broker';

export async function directMosquitto(options: MosquittoOptions): Promise<MosquittoBroker> {
  const { settings, acls, logins, clock, log, config = {} } = options;
  const { birthWithinMs = 30_000, sweepEveryMs = 5_000 } = config;
  const target = { host: options.host, port: settings.devices.port, rootPem: options.rootPem };
  await prepareMosquittoFolder(settings);
  const publisher = createMosquittoPublisher({ ...options, folder: settings.folder, target, ...config });
  const sessions = createMosquittoSessions({ ...options, config: { birthWithinMs } });

  /** Whose session must end, and why; kept while the broker is away. */
  const ending = new Map<string, string>();
  /** How often a device whose session ended is ended again, now that a new list keeps it out. */
  const again = new Map<string, { reason: string; times: number }>();
  let knownSince = clock.now();
  let unknown: string[] = [];
  let closed = false;

  const link = createLateBrokerLink({
    open: async () =>
      openMqttBrokerLink({
        config: { ...target, commonName: COMMON_NAME, ...(await options.credentials()) },
        log,
        up: () => guard(cameBack(), 'the broker that came back was not looked at'),
      }),
    log,
  });
  const guard = (task: Promise<unknown>, what: string) => {
    task.catch((error: Error) => {
      if (!closed) log.warn({ error: error.message }, what);
    });
  };
  const controlled = openMosquittoControl(link);
  controlled.catch(() => undefined);
  const control: MosquittoControl = { run: async (...commands) => (await controlled).run(...commands) };

  const apps = createMosquittoApps(control);
  const cameBack = async () => {
    apps.forget();
    sessions.clear();
    knownSince = clock.now();
    await publisher.proveAgain();
    await flush();
  };
  const flush = async () => {
    if (!link.connected()) return;
    const batch = [...ending].slice(0, MOST_AT_ONCE);
    // The plugin ends the connection of a name that it is told to forget, so it is told the name first.
    const commands = batch.flatMap(([username]) => [
      { command: 'createClient', username },
      { command: 'deleteClient', username },
    ]);
    await control.run(...commands);
    for (const [name, reason] of batch) {
      if (ending.get(name) === reason) ending.delete(name);
      log.info({ client: name, reason }, 'a session was ended');
    }
    if (ending.size > 0) await flush();
  };
  const end = (name: string, reason: string) => {
    ending.set(name, reason);
    guard(flush(), 'a session was not ended yet');
  };

  guard(
    link.subscribe(['$SYS/broker/log/#', 'telemetry/+/connection/status'], (topic, payload) => {
      if (!topic.startsWith('$SYS')) return sessions.heardConnection(topic, payload);
      const event = readLogLine(Buffer.from(payload).toString());
      if (event !== undefined && !apps.has(event.name)) sessions.heardLog(event);
    }),
    'the broker does not tell who comes and goes',
  );

  /** Who was there before this process could hear it is asked to come again, once, so that all are known. */
  const endUnknown = async () => {
    if (!link.connected()) return;
    if (clock.now() - knownSince >= birthWithinMs) {
      knownSince = Number.POSITIVE_INFINITY;
      unknown = await options.online();
    }
    const known = new Set(sessions.devices());
    for (const deviceUuid of unknown.splice(0, UNKNOWN_AT_ONCE))
      if (!known.has(deviceUuid)) end(deviceUuid, 'its certificate is not known to this process');
  };
  const sweep = setInterval(() => {
    guard(
      sessions.due().then((due) => {
        // An app that came before this process knew its name says no birth and stays.
        for (const [name, reason] of due)
          if (apps.has(name)) sessions.heardLog({ kind: 'gone', name });
          else end(name, reason);
      }),
      'sessions that must not last were not looked for',
    );
    guard(endUnknown(), 'sessions from before were not ended');
    guard(flush(), 'sessions were not ended yet');
    guard(publisher.proveAgain(), 'the broker could not be asked whether its list is in force');
  }, sweepEveryMs);

  return {
    connected: () => link.connected(),
    turnCanaries: () => publisher.turnCanaries(),
    async setTls(tls) {
      const files = reloadedFiles({ tls, deviceAcl: acls.devices, serviceAcl: acls.services, logins });
      await publisher.publish(files, tls);
      // Those who came back before the list was in force go now, and stay out.
      for (const [name, entry] of again) {
        end(name, entry.reason);
        entry.times -= 1;
        if (entry.times === 0) again.delete(name);
      }
    },
    endSession(deviceUuid, reason) {
      again.set(deviceUuid, { reason, times: ENDED_AGAIN });
      end(deviceUuid, reason);
    },
    async recheckSessions(refused) {
      const gone = await refused(sessions.certificates());
      for (const deviceUuid of sessions.devicesOf(gone)) end(deviceUuid, 'no longer accepted');
    },
    async syncApps(wanted) {
      if (!link.connected()) throw new BrokerLinkError('NOT_CONNECTED', 'The broker is not there.');
      await apps.sync(wanted);
    },
    connectedDevices: () => sessions.devices(),
    async close() {
      closed = true;
      clearInterval(sweep);
      await link.close();
    },
  };
}
