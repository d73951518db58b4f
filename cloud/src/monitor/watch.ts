import { topics } from '@ares/protocol';
import type { BrokerLink } from '../ports/broker-link.ts';
import type { Decoder } from './decode.ts';
import type { Seen } from './types.ts';

/** Everything that Ares says over MQTT; whoever watches needs the right to hear it. */
const EVERYTHING = ['telemetry/#', 'commands/#', 'system/#', 'client/#', 'operator/#'];
/** Messages that wait to be looked at; a flood beyond is counted and not shown. */
const MOST_WAITING = 10_000;

/** Filters of all that concerns one device, also on topics that Ares does not have. */
export function filtersOf(deviceUuid: string | undefined): readonly string[] {
  if (deviceUuid === undefined) return EVERYTHING;
  return [
    `telemetry/+/${deviceUuid}/#`,
    `telemetry/${deviceUuid}/#`,
    `commands/${deviceUuid}/#`,
    `system/${deviceUuid}/#`,
    topics.requestState.filter({ deviceUuid }),
    topics.clientState.filter({ deviceUuid }),
    topics.operatorTest.build({ deviceUuid }),
  ];
}

/**
 * Hears and decodes, in the order of arrival, until `signal` aborts or `count` were shown.
 * @throws {BrokerLinkError} REFUSED
 */
export async function watchMessages(options: {
  readonly link: BrokerLink;
  readonly decode: Decoder;
  readonly deviceUuid: string | undefined;
  readonly count: number | undefined;
  readonly signal: AbortSignal;
  readonly show: (seen: Seen) => void;
  /** It hears from now on. */
  readonly listening?: () => void;
}): Promise<{ readonly shown: number; readonly dropped: number }> {
  const { link, decode, deviceUuid, count = Number.POSITIVE_INFINITY, signal, show, listening } = options;
  let shown = 0;
  let dropped = 0;
  let waiting = 0;
  let tail = Promise.resolve();
  const enough = new AbortController();
  const stop = AbortSignal.any([signal, enough.signal]);
  const unsubscribe = await link.subscribe(filtersOf(deviceUuid), (topic, payload) => {
    if (stop.aborted) return;
    if (waiting >= MOST_WAITING) {
      dropped += 1;
      return;
    }
    waiting += 1;
    tail = tail.then(async () => {
      const seen = await decode(topic, payload);
      waiting -= 1;
      if (shown >= count) return;
      shown += 1;
      show(seen);
      if (shown >= count) enough.abort();
    });
  });
  listening?.();
  await new Promise<void>((done) => {
    if (stop.aborted) done();
    else stop.addEventListener('abort', () => done(), { once: true });
  });
  await unsubscribe();
  // What had arrived before the end is shown.
  await tail;
  return { shown, dropped };
}
