/**
 * The five packets of MQTT 3.1.1 that the fleet needs. By hand, because hundreds of devices share two cores with
 * what is measured: a client library would cost more than the broker.
 */

const PUBLISH = 3;

export function connectFrame(clientId: string, keepAliveSeconds: number): Buffer {
  const CLEAN_SESSION = 0x02;
  const head = Buffer.from([4, CLEAN_SESSION, keepAliveSeconds >> 8, keepAliveSeconds & 0xff]);
  return frame(0x10, Buffer.concat([text('MQTT'), head, text(clientId)]));
}

/** QoS 0. */
export function subscribeFrame(filter: string): Buffer {
  return frame(0x82, Buffer.concat([Buffer.from([0, 1]), text(filter), Buffer.from([0])]));
}

/** QoS 0. */
export function publishFrame(topic: string, payload: Uint8Array): Buffer {
  return frame(0x30, Buffer.concat([text(topic), payload]));
}

export type Packet =
  | { readonly type: 'publish'; readonly topic: string; readonly payload: Buffer }
  | { readonly type: 'connack'; readonly code: number }
  | { readonly type: 'suback'; readonly code: number };

/** Feeds chunks of a stream, answers the packets that are whole. */
export function createPacketReader(): (chunk: Buffer) => Packet[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const packets: Packet[] = [];
    for (;;) {
      const head = readHead(bytes);
      if (head === undefined || bytes.length < head.end) break;
      const body = bytes.subarray(head.start, head.end);
      const packet = readPacket(bytes[0]!, body);
      if (packet !== undefined) packets.push(packet);
      bytes = bytes.subarray(head.end);
    }
    rest = bytes;
    return packets;
  };
}

function readPacket(first: number, body: Buffer): Packet | undefined {
  const type = first >> 4;
  if (type === 2) return { type: 'connack', code: body[1]! };
  if (type === 9) return { type: 'suback', code: body[2]! };
  if (type !== PUBLISH) return undefined;
  const topicEnd = 2 + body.readUInt16BE(0);
  const payloadAt = topicEnd + ((first & 0x06) === 0 ? 0 : 2);
  return { type: 'publish', topic: body.toString('utf8', 2, topicEnd), payload: body.subarray(payloadAt) };
}

function readHead(bytes: Buffer): { readonly start: number; readonly end: number } | undefined {
  let length = 0;
  for (let i = 1; i < Math.min(bytes.length, 5); i++) {
    length += (bytes[i]! & 0x7f) * 128 ** (i - 1);
    if (bytes[i]! < 0x80) return { start: i + 1, end: i + 1 + length };
  }
  return undefined;
}

function frame(first: number, body: Buffer): Buffer {
  const head = [first];
  let left = body.length;
  do {
    head.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>= 7;
  } while (left > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}
