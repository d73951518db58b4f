import { topics } from '@ares/protocol';

/** Filters of what a peer of the broker may send and hear. */
export interface TopicRights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Orders and acknowledgements. */
const ORDERS = 'commands/#';
/** Everything that devices say. */
const FROM_DEVICES = 'telemetry/#';

const ingest: TopicRights = { publish: [ORDERS], subscribe: [FROM_DEVICES] };
const api: TopicRights = {
  publish: [ORDERS, topics.systemReset.filter(), topics.clientState.filter()],
  subscribe: [topics.requestState.filter()],
};
const everything: readonly string[] = [FROM_DEVICES, ORDERS, 'system/#', 'client/#', 'operator/#'];

/**
 * The rights of each process of the cloud, by the CN of its certificate. What a process may not do stays out of
 * reach of whoever breaks into it: the ingest cannot order a device to reset itself, no process but the one that
 * manages the broker can change rights.
 */
export const serviceRights: Readonly<Record<string, TopicRights>> = {
  'ares-api': api,
  'ares-ingest': ingest,
  /** A process that is both. */
  'ares-cloud': {
    publish: [...api.publish],
    subscribe: [...api.subscribe, ...ingest.subscribe],
  },
  /** Who manages the broker: sees who comes and goes, ends sessions, gives rights to apps. */
  'ares-broker': {
    publish: ['$CONTROL/dynamic-security/v1'],
    subscribe: [
      '$CONTROL/dynamic-security/v1/response',
      '$SYS/broker/log/#',
      topics.connectionStatus.filter(),
    ],
  },
  /** An operator's tools: see everything, speak for devices and apps in tests. */
  'ares-operator': {
    publish: [FROM_DEVICES, ORDERS, 'client/#', topics.operatorTest.filter()],
    subscribe: everything,
  },
  /** An operator who watches: everything, and not a word of his own. */
  'ares-monitor': { publish: [], subscribe: everything },
};

/** Processes that have a login of their own at the listener for services. */
export const serviceNames: readonly string[] = Object.keys(serviceRights).filter(
  (name) => name !== 'ares-broker',
);
