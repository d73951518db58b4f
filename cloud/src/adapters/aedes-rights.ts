import { deviceRights, filterMatches, isUuid } from '@ares/protocol';

/** Who is at the other end, by the CN of its certificate; the only identity there is. */
export type Peer =
  | { readonly kind: 'device'; readonly deviceUuid: string }
  | { readonly kind: 'service'; readonly name: string };

const SERVICE = /^ares-[a-z][a-z0-9-]{0,40}$/;

/** `undefined` for a CN that no certificate of Ares has. */
export function peerOf(commonName: unknown): Peer | undefined {
  if (typeof commonName !== 'string') return undefined;
  if (isUuid(commonName)) return { kind: 'device', deviceUuid: commonName };
  return SERVICE.test(commonName) ? { kind: 'service', name: commonName } : undefined;
}

/** A device's client id is its CN; a service has a connection per process, so its CN and a suffix. */
export function clientIdFits(peer: Peer, clientId: string): boolean {
  return peer.kind === 'device'
    ? clientId === peer.deviceUuid
    : clientId === peer.name || clientId.startsWith(`${peer.name}-`);
}

export interface Rights {
  mayPublish(topic: string): boolean;
  maySubscribe(filter: string): boolean;
  /** Asked again for each delivery, in case a subscription was granted by mistake. */
  mayReceive(topic: string): boolean;
}

const everything: Rights = {
  mayPublish: () => true,
  maySubscribe: () => true,
  mayReceive: () => true,
};

export function rightsOf(peer: Peer): Rights {
  if (peer.kind === 'service') return everything;
  const { publish, subscribe } = deviceRights(peer.deviceUuid);
  return {
    mayPublish: (topic) => publish.some((filter) => filterMatches(filter, topic)),
    maySubscribe: (filter) => subscribe.some((right) => covers(right, filter)),
    mayReceive: (topic) => subscribe.some((filter) => filterMatches(filter, topic)),
  };
}

/** Whether everything that `filter` matches is matched by `right`, which has no `+`. */
function covers(right: string, filter: string): boolean {
  if (right === filter) return true;
  if (!right.endsWith('/#')) return false;
  return filter.startsWith(right.slice(0, -1)) && filter.length > right.length - 1;
}
