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
/** Who asks, by devices asked about: more than any person has. */
const MOST_VIEWERS = 100;

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

  const push = async (deviceUuid: string): Promise<void> => {
    const [document, viewers] = await Promise.all([state.document(deviceUuid), viewersOf(deviceUuid)]);
    const listening = asked.get(deviceUuid);
    if (listening === undefined) return;
    const now = clock.now();
    for (const [userEmail, until] of listening)
      if (until <= now || !viewers.has(userEmail)) listening.delete(userEmail);
    if (listening.size === 0) asked.delete(deviceUuid);
    if (document === undefined) return;
    const payload = JSON.stringify(document);
    for (const userEmail of listening.keys())
      await link.publish(topics.clientState.build({ userEmail, deviceUuid }), payload);
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
    push(deviceUuid).catch((error: Error) =>
      log.debug({ deviceUuid, error: error.message }, 'a state was not pushed to apps'),
    );
  };
  const ask = (topic: string) => {
    const request = topics.requestState.parse(topic);
    if (request === undefined) return;
    const { deviceUuid, userEmail } = request;
    const listening = asked.get(deviceUuid) ?? new Map<string, number>();
    // Names of devices that do not exist, or are foreign, are forgotten at the first push.
    if (listening.size >= MOST_VIEWERS || (listening.size === 0 && asked.size >= MOST_DEVICES)) return;
    asked.set(deviceUuid, listening.set(userEmail, clock.now() + HEARS_MS));
    changed(deviceUuid);
  };

  const stop = state.onChange(changed);
  const refresh = setInterval(() => {
    for (const deviceUuid of asked.keys()) changed(deviceUuid);
  }, REFRESH_MS);
  let unsubscribe: Unsubscribe | undefined;
  let closed = false;
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
