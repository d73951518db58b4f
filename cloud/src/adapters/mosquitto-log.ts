import { isUuid } from '@ares/protocol';

/** What a line of Mosquitto's log says of a client that is named by its certificate. */
export type ClientEvent =
  | { readonly kind: 'connected'; readonly name: string }
  | { readonly kind: 'taken-over'; readonly name: string }
  | { readonly kind: 'gone'; readonly name: string };

const CONNECTED = /^New client connected from \S+ as (\S+) \(/;
const TAKEN_OVER = /^Client (\S+) already connected, closing old connection\.$/;
/** The broker has about ten ways to say that one is gone. */
const GONE =
  /^(?:Client (\S+) (?:closed|disconnected|been disconnected|has exceeded timeout)|(?:Bad socket read\/write|Socket error|OpenSSL Error) on client ([^\s,:]+))/;

/** @param line a message of `$SYS/broker/log/#`, with or without its time */
export function readLogLine(line: string): ClientEvent | undefined {
  const text = line.replace(/^\d+: /, '');
  const kinds = [
    ['connected', CONNECTED],
    ['taken-over', TAKEN_OVER],
    ['gone', GONE],
  ] as const;
  for (const [kind, pattern] of kinds) {
    const found = pattern.exec(text);
    const name = found?.[1] ?? found?.[2];
    // Client ids at the listener for services are the clients' own words.
    if (name !== undefined && isUuid(name)) return { kind, name };
  }
  return undefined;
}
