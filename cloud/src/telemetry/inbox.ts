import { topics } from '@ares/protocol';
import type { BrokerLink, Unsubscribe } from '../ports/broker-link.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecurityReporter } from '../ports/security-reporter.ts';
import type { DeviceDirectory } from './directory.ts';
import type { KnownDevice } from './types.ts';

/** A message of a device that exists and has an owner; nothing in it is verified yet. */
interface Inbound {
  readonly device: KnownDevice;
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** Answers a promise only when it has to wait for something. */
export type InboundHandler = (message: Inbound) => Promise<void> | undefined;

export interface InboxHandlers {
  readonly readings: (
    message: Inbound,
    topic: { readonly userEmail: string; readonly componentType: string },
  ) => Promise<void> | undefined;
  readonly connection: InboundHandler;
  readonly results: InboundHandler;
}

type Route = { readonly deviceUuid: string; readonly handle: InboundHandler };

/** Messages of one device that may wait for the database; further ones are dropped, and sent again later. */
const MOST_WAITING = 20;
/** Devices whose messages wait: whoever runs the broker can make names up. */
const MOST_DEVICES_WAITING = 50_000;
/** Topics whose parts are remembered. */
const MOST_TOPICS = 100_000;

/**
 * Takes what devices publish, finds the device, and hands its messages to the handlers one after another: the birth
 * of a boot before its readings. A message that needs nothing from outside is handled at once.
 */
export async function openInbox(options: {
  readonly link: BrokerLink;
  readonly group: string | undefined;
  readonly directory: DeviceDirectory;
  readonly handlers: InboxHandlers;
  readonly security: SecurityReporter;
  readonly log: Logger;
}): Promise<Unsubscribe> {
  const { link, group, directory, handlers, security, log } = options;
  const routes = new Map<string, Route>();
  const chains = new Map<string, { tail: Promise<void>; length: number }>();

  const routeOf = (topic: string): Route | undefined => {
    const known = routes.get(topic);
    if (known !== undefined) return known;
    const route = parseRoute(topic, handlers);
    if (route === undefined) return undefined;
    if (routes.size >= MOST_TOPICS) routes.clear();
    routes.set(topic, route);
    return route;
  };

  const run = (route: Route, device: KnownDevice | undefined, topic: string, payload: Uint8Array) => {
    if (device === undefined) {
      security.report({ code: 'UNKNOWN_DEVICE', detail: { deviceUuid: route.deviceUuid } });
      return undefined;
    }
    // Of a device that was given away, blocked or must recover nothing is taken, and nothing is answered.
    const listens = device.lifeCycle === 'ACTIVE' || device.lifeCycle === 'QUARANTINED';
    if (!listens || device.assignment === undefined) return undefined;
    return route.handle({ device, topic, payload });
  };

  const later = (route: Route, work: () => Promise<void> | undefined) => {
    const { deviceUuid } = route;
    const chain = chains.get(deviceUuid) ?? { tail: Promise.resolve(), length: 0 };
    if (chain.length >= MOST_WAITING) return;
    if (chain.length === 0 && chains.size >= MOST_DEVICES_WAITING) return;
    chain.length += 1;
    chains.set(deviceUuid, chain);
    chain.tail = chain.tail.then(work).then(
      () => undefined,
      (error: Error) => log.warn({ deviceUuid, error: error.message }, 'a message was left to its device'),
    );
    void chain.tail.then(() => {
      chain.length -= 1;
      if (chain.length === 0) chains.delete(deviceUuid);
    });
  };

  const receive = (topic: string, payload: Uint8Array) => {
    const route = routeOf(topic);
    if (route === undefined) return;
    const { deviceUuid } = route;
    const device = directory.peek(deviceUuid);
    if (device === undefined || chains.has(deviceUuid)) {
      later(route, async () => await run(route, await directory.load(deviceUuid), topic, payload));
      return;
    }
    const waiting = run(route, device, topic, payload);
    if (waiting !== undefined) later(route, () => waiting);
  };

  return await link.subscribe(
    [topics.componentStatus.filter(), topics.commandsStatus.filter(), topics.connectionStatus.filter()],
    (topic, payload) => {
      try {
        receive(topic, payload);
      } catch (error) {
        log.error({ topic, error: (error as Error).message }, 'a message could not be handled');
      }
    },
    group === undefined ? {} : { group },
  );
}

function parseRoute(topic: string, handlers: InboxHandlers): Route | undefined {
  const readings = topics.componentStatus.parse(topic);
  if (readings !== undefined)
    return { deviceUuid: readings.deviceUuid, handle: (message) => handlers.readings(message, readings) };
  const connection = topics.connectionStatus.parse(topic);
  if (connection !== undefined) return { deviceUuid: connection.deviceUuid, handle: handlers.connection };
  const results = topics.commandsStatus.parse(topic);
  if (results !== undefined) return { deviceUuid: results.deviceUuid, handle: handlers.results };
  return undefined;
}
