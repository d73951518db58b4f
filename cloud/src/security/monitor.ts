import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecurityEvent, SecurityEventCode, SecurityReporter } from '../ports/security-reporter.ts';
import { createEventLog } from './event-log.ts';
import type { SecurityRepository } from './repository.ts';

export interface SecurityPolicy {
  /** A device whose messages fail again and again is quarantined; its readings wait on the device. */
  readonly quarantineOnCompromise: boolean;
}

export interface SecurityMonitor extends SecurityReporter {
  /** Writes what is due; called by a timer, and by tests. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Messages under a device's name that are not its own. */
const NOT_AUTHENTIC: ReadonlySet<SecurityEventCode> = new Set([
  'HARDWARE_MISMATCH',
  'KEY_UNKNOWN',
  'MAC_MISMATCH',
  'NOT_SIGNED',
  'PAIR_MISMATCH',
  'TOPIC_OWNER_MISMATCH',
]);
/** Worth waking an administrator by themselves. */
const ALERTING: ReadonlySet<SecurityEventCode> = new Set([
  'BOOT_COUNT_REPEATED',
  'CLONE_SUSPECTED',
  'PAIR_MISMATCH',
]);

const MINUTE_MS = 60_000;
const FAILURES_OF_A_COMPROMISE = 20;
/** Share of the fleet that fails within a minute when it is the broker that lies. */
const BROKER_SHARE = 0.01;
/** In a small fleet one or two odd devices are no sign of a hostile broker. */
const BROKER_DEVICES = 5;
const FLUSH_EVERY_MS = 1_000;
const ALERT_AGAIN_MS = 600_000;

/**
 * Writes security events, and draws conclusions: 20 failures under one name within a minute are a compromise of
 * that device, unless so many devices fail at once that the broker itself must be suspected. A device is never
 * suspended for failures alone: whoever runs the broker could make them up.
 */
export function createSecurityMonitor(options: {
  readonly repository: SecurityRepository;
  readonly clock: Clock;
  readonly log: Logger;
  readonly policy?: SecurityPolicy;
}): SecurityMonitor {
  const { repository, clock, log, policy = { quarantineOnCompromise: true } } = options;
  const events = createEventLog(clock);
  const failures = new Map<string, number[]>();
  const alerted = new Map<string, number>();
  const quarantined = new Map<string, number>();
  const work = new Set<Promise<void>>();
  let fleet = { size: 0, at: Number.NEGATIVE_INFINITY };

  const run = (task: Promise<void>) => {
    const guarded = task.catch((error: Error) =>
      log.error({ error: error.message }, 'a security measure could not be taken'),
    );
    work.add(guarded);
    void guarded.then(() => work.delete(guarded));
  };
  /** Not again for a while; a measure that failed may be taken again at once. */
  const once = async (key: string, measure: () => Promise<void>): Promise<void> => {
    const now = clock.now();
    if (now - (alerted.get(key) ?? Number.NEGATIVE_INFINITY) < ALERT_AGAIN_MS) return;
    alerted.set(key, now);
    try {
      await measure();
    } catch (error) {
      alerted.delete(key);
      throw error;
    }
  };

  /** Whether this failure is the one that makes a compromise. */
  const countFailure = (deviceUuid: string): boolean => {
    const now = clock.now();
    const times = (failures.get(deviceUuid) ?? []).filter((at) => now - at < MINUTE_MS);
    failures.set(deviceUuid, times);
    if (times.length >= FAILURES_OF_A_COMPROMISE) return false;
    return times.push(now) === FAILURES_OF_A_COMPROMISE;
  };
  const failingDevices = (): number => {
    const now = clock.now();
    for (const [deviceUuid, times] of failures)
      if (now - (times.at(-1) ?? 0) >= MINUTE_MS) failures.delete(deviceUuid);
    return failures.size;
  };
  const brokerIsSuspected = async (): Promise<boolean> => {
    const failing = failingDevices();
    if (failing < BROKER_DEVICES) return false;
    if (clock.now() - fleet.at >= MINUTE_MS)
      fleet = { size: await repository.activeDevices(), at: clock.now() };
    return failing > BROKER_SHARE * fleet.size;
  };

  // One after another: what one judgement quarantines, the next may have to lift.
  let judged: Promise<void> = Promise.resolve();
  const judge = async (deviceUuid: string, isCompromise: boolean): Promise<void> => {
    if (await brokerIsSuspected()) return once('BROKER', suspectBroker);
    if (isCompromise) await once(`COMPROMISE ${deviceUuid}`, () => suspectDevice(deviceUuid));
  };
  const suspectBroker = async (): Promise<void> => {
    const detail = { failingDevices: failures.size };
    await repository.insertAlert('BROKER_SUSPECTED', undefined, detail);
    events.add({ code: 'BROKER_SUSPECTED', detail });
    for (const [uuid, at] of quarantined)
      if (clock.now() - at < MINUTE_MS) await repository.liftQuarantine(uuid, 'the broker is suspected');
    quarantined.clear();
  };
  const suspectDevice = async (deviceUuid: string): Promise<void> => {
    const detail = { failuresInAMinute: FAILURES_OF_A_COMPROMISE };
    const reason = 'too many messages that are not authentic';
    if (policy.quarantineOnCompromise && (await repository.quarantine(deviceUuid, reason, detail)))
      quarantined.set(deviceUuid, clock.now());
    else await repository.insertAlert('COMPROMISE_SUSPECTED', deviceUuid, detail);
    events.add({ code: 'COMPROMISE_SUSPECTED', deviceUuid, detail });
  };

  const flush = async (): Promise<void> => {
    const rows = events.take();
    await repository.insertEvents(rows).catch((error: Error) => {
      events.restore(rows);
      log.warn({ error: error.message }, 'security events wait for the database');
    });
  };
  const timer = setInterval(() => run(flush()), FLUSH_EVERY_MS);

  return {
    report(event: SecurityEvent) {
      events.add(event);
      const { code, deviceUuid } = event;
      if (deviceUuid === undefined) return;
      if (ALERTING.has(code)) {
        const alert = async () => {
          // Its MAC fits, so this is no invention of the broker: the card, and the secret on it, are on two boards.
          if (code === 'PAIR_MISMATCH') await repository.noteClone(deviceUuid, new Date(clock.now()));
          await repository.insertAlert(code, deviceUuid, event.detail ?? {});
        };
        run(once(`${code} ${deviceUuid}`, alert));
      }
      if (!NOT_AUTHENTIC.has(code)) return;
      const fresh = !failures.has(deviceUuid);
      const isCompromise = countFailure(deviceUuid);
      if (isCompromise || (fresh && failures.size >= BROKER_DEVICES)) {
        judged = judged.catch(() => undefined).then(() => judge(deviceUuid, isCompromise));
        run(judged);
      }
    },
    async flush() {
      await Promise.all(work);
      await flush();
    },
    async close() {
      clearInterval(timer);
      await Promise.all(work);
      const rows = events.take(true);
      await repository.insertEvents(rows).catch(() => undefined);
    },
  };
}
