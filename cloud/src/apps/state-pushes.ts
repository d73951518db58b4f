import { topics } from '@ares/protocol';
import type { BrokerLink, Unsubscribe } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { LiveState } from '../state/live-state.ts';

/** How long who asked hears of changes. */
const HEARS_MS = 600_000;
/** At most one document a device and second. */
const EVERY_MS = 1_000;
/** Nothing happens when a value grows old: what is watched is pushed again. */
const REFRESH_MS = 15_000;
const MOST_DEVICES = 100_000;
/** Who hears of one device. */
const MOST_VIEWERS = 100;
/** Devices that one user hears of or asked about: who asks for more waits until he was answered. */
const MOST_OF_A_USER = 1_000;
/** Documents that are made at the same time: whoever asks for many must not take the database from everybody. */
const AT_ONCE = 8;

/**
 * Answers apps on `client/request_state/…` with the whole state, and for ten minutes more with each change. The broker
 * lets an app ask under the e-mail of its own user only; whether that user may see the device is looked up at each
 * push, so a right that ends, ends here.
 * @returns ends it
 */
export async function pushStateToApps(options: {
  readonly link: BrokerLink;
  readonly state: Pick<LiveState, 'document' | 'onChange'>;
  /** E-mails of who may see the device. */
  readonly viewersOf: (deviceUuid: string) => Promise<ReadonlySet<string>>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Secret name of the group of API processes, one of which answers. */
  readonly group: string;
  readonly everyMs?: number;
}): Promise<() => Promise<void>> {
  const { link, state, viewersOf, clock, log, group, everyMs = EVERY_MS } = options;
  /** Until when who hears of a device. */
  const asked = new Map<string, Map<string, number>>();
  /** Devices whose document was pushed a moment ago; `true` when another push is due. */
  const paused = new Map<string, boolean>();
  const timers = new Set<NodeJS.Timeout>();

  /** Devices that somebody asked about of whom it is not known yet whether he may. */
  const unchecked = new Set<string>();
  const askedBy = new Map<string, number>();
  const due = new Set<string>();
  let running = 0;
  let closed = false;

  const forget = (deviceUuid: string, userEmail: string) => {
    const listening = asked.get(deviceUuid);
    if (listening?.delete(userEmail) !== true) return;
    if (listening.size === 0) asked.delete(deviceUuid);
    const left = (askedBy.get(userEmail) ?? 1) - 1;
    if (left === 0) askedBy.delete(userEmail);
    else askedBy.set(userEmail, left);
  };
  /** E-mails of who asked and may see the device; the others are forgotten. */
  const listenersOf = async (deviceUuid: string): Promise<readonly string[]> => {
    const viewers = await viewersOf(deviceUuid);
    const now = clock.now();
    for (const [userEmail, until] of [...(asked.get(deviceUuid) ?? [])])
      if (until <= now || !viewers.has(userEmail)) forget(deviceUuid, userEmail);
    return [...(asked.get(deviceUuid)?.keys() ?? [])];
  };
  const push = async (deviceUuid: string): Promise<void> => {
    // For a device that does not exist, or is foreign, no document is made.
    if (unchecked.delete(deviceUuid) && (await listenersOf(deviceUuid)).length === 0) return;
    const [document, listeners] = await Promise.all([state.document(deviceUuid), listenersOf(deviceUuid)]);
    if (document === undefined) return;
    const payload = JSON.stringify(document);
    for (const userEmail of listeners)
      await link.publish(topics.clientState.build({ userEmail, deviceUuid }), payload);
  };
  const work = () => {
    for (const deviceUuid of due) {
      if (running >= AT_ONCE) return;
      due.delete(deviceUuid);
      running += 1;
      push(deviceUuid)
        .catch((error: Error) =>
          log.debug({ deviceUuid, error: error.message }, 'a state was not pushed to apps'),
        )
        .finally(() => {
          running -= 1;
          if (!closed) work();
        });
    }
  };
  const changed = (deviceUuid: string) => {
    if (!asked.has(deviceUuid)) return;
    if (paused.has(deviceUuid)) {
      paused.set(deviceUuid, true);
      return;
    }
    paused.set(deviceUuid, false);
    const timer = setTimeout(() => {
      timers.delete(timer);
      const again = paused.get(deviceUuid) === true;
      paused.delete(deviceUuid);
      if (again) changed(deviceUuid);
    }, everyMs);
    timers.add(timer);
    due.add(deviceUuid);
    work();
  };
  const ask = (topic: string) => {
    const request = topics.requestState.parse(topic);
    if (request === undefined) return;
    const { deviceUuid, userEmail } = request;
    const listening = asked.get(deviceUuid) ?? new Map<string, number>();
    if (!listening.has(userEmail)) {
      const already = askedBy.get(userEmail) ?? 0;
      if (listening.size >= MOST_VIEWERS || already >= MOST_OF_A_USER) return;
      if (listening.size === 0 && asked.size >= MOST_DEVICES) return;
      askedBy.set(userEmail, already + 1);
      unchecked.add(deviceUuid);
    }
    asked.set(deviceUuid, listening.set(userEmail, clock.now() + HEARS_MS));
    changed(deviceUuid);
  };

  const stop = state.onChange(changed);
  const refresh = setInterval(() => {
    for (const deviceUuid of asked.keys()) changed(deviceUuid);
  }, REFRESH_MS);
  let unsubscribe: Unsubscribe | undefined;
  // Not waited for: the API serves people also while the broker is away.
  link.subscribe([topics.requestState.filter()], ask, { group }).then(
    async (taken) => {
      unsubscribe = taken;
      if (closed) await taken();
    },
    (error: Error) => !closed && log.warn({ error: error.message }, 'apps cannot ask for state'),
  );
  return async () => {
    closed = true;
    stop();
    clearInterval(refresh);
    for (const timer of timers) clearTimeout(timer);
    await unsubscribe?.().catch(() => undefined);
  };
}
