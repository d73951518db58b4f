import { isIP } from 'node:net';

/**
 * Who asks: the peer itself, or, when that is a trusted proxy, whom it names. Anybody can send an
 * `X-Forwarded-For`, and a proxy appends to it, so it is read from its end and only as far as trust goes.
 * @param peer address of the connection
 */
export function clientAddress(peer: string, forwardedFor: string, trusted: ReadonlySet<string>): string {
  let address = plain(peer);
  const named = forwardedFor.split(',').map((one) => plain(one.trim()));
  while (trusted.has(address)) {
    const before = named.pop() ?? '';
    if (isIP(before) === 0) break;
    address = before;
  }
  return address;
}

/** An IPv4 address that arrived on an IPv6 socket is the same address. */
function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}
