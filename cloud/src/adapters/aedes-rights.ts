import { appRights, deviceRights, filterMatches, isUuid } from '@ares/protocol';
import { serviceRights, type TopicRights } from '../broker/service-rights.ts';

/** Who is at the other end, by the CN of its certificate; the only identity there is. */
export type Peer =
  | { readonly kind: 'device'; readonly deviceUuid: string }
  /** An app with the rights of its user. A certificate alone does not tell it from a device: the tables do. */
  | { readonly kind: 'app'; readonly appUuid: string; readonly userEmail: string }
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
  if (peer.kind === 'device') return clientId === peer.deviceUuid;
  if (peer.kind === 'app') return clientId === peer.appUuid;
  return clientId === peer.name || clientId.startsWith(`${peer.name}-`);
}

export interface Rights {
  mayPublish(topic: string): boolean;
  maySubscribe(filter: string): boolean;
  /** Asked again for each delivery, in case a subscription was granted by mistake. */
  mayReceive(topic: string): boolean;
}

export function rightsOf(peer: Peer): Rights {
  const { publish, subscribe } = topicRightsOf(peer);
  return {
    mayPublish: (topic) => publish.some((filter) => filterMatches(filter, topic)),
    maySubscribe: (filter) => subscribe.some((right) => covers(right, filter)),
    mayReceive: (topic) => subscribe.some((filter) => filterMatches(filter, topic)),
  };
}

const nothing: TopicRights = { publish: [], subscribe: [] };

function topicRightsOf(peer: Peer): TopicRights {
  if (peer.kind === 'device') return deviceRights(peer.deviceUuid);
  if (peer.kind === 'app') return appRights(peer.userEmail);
  return serviceRights[peer.name] ?? nothing;
}

/** Whether everything that `filter` matches is matched by `right`. */
function covers(right: string, filter: string): boolean {
  const allowed = right.split('/');
  const asked = filter.split('/');
  for (const [i, level] of allowed.entries()) {
    if (level === '#') return asked.length > i && !(i === 0 && asked[0]!.startsWith('$'));
    const part = asked[i];
    if (part === undefined || part === '#') return false;
    if (level === '+' ? i === 0 && part.startsWith('$') : level !== part) return false;
  }
  return asked.length === allowed.length;
}
