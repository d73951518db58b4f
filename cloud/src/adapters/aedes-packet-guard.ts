import type { Readable } from 'node:stream';

/** Where a chunked stream of MQTT packets stands: before a packet, in its length, or in its body. */
type Place = { readonly in: 'type' } | { readonly in: 'length' } | { readonly in: 'body' };

/**
 * Reads the fixed headers (MQTT 3.1.1 §2.2) of the bytes that pass and answers `false` as soon as one announces
 * more than `limit()` bytes, so the packet is refused before a byte of its body is kept.
 */
export function createPacketGuard(limit: () => number): (chunk: Uint8Array) => boolean {
  let place: Place = { in: 'type' };
  let length = 0;
  let multiplier = 1;
  let left = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (place.in === 'type') {
        at += 1;
        length = 0;
        multiplier = 1;
        place = { in: 'length' };
      } else if (place.in === 'length') {
        const byte = chunk[at]!;
        at += 1;
        length += (byte & 0x7f) * multiplier;
        multiplier *= 128;
        if (length > limit() || multiplier > 128 ** 4) return false;
        if ((byte & 0x80) !== 0) continue;
        left = length;
        place = left === 0 ? { in: 'type' } : { in: 'body' };
      } else {
        const step = Math.min(left, chunk.length - at);
        left -= step;
        at += step;
        if (left === 0) place = { in: 'type' };
      }
    }
    return true;
  };
}

/**
 * Puts the guard between a socket and its reader. The broker pulls with `read()`, which is wrapped here: a further
 * stream in between would cost a copy of every byte. `refused` is called once, after that nothing is read any more.
 */
export function guardReads(
  socket: Readable,
  guard: (chunk: Uint8Array) => boolean,
  refused: () => void,
): void {
  const read = socket.read.bind(socket);
  let closed = false;
  socket.read = (size?: number) => {
    if (closed) return null;
    const chunk = read(size) as Uint8Array | null;
    if (chunk === null || guard(chunk)) return chunk;
    closed = true;
    refused();
    return null;
  };
}
