import type { TLSSocket } from 'node:tls';

const PACKET = { connect: 1, publish: 3, subscribe: 8, ping: 12, disconnect: 14 } as const;
const CONNACK_NOT_AUTHORIZED = 5;

/**
 * As much of an MQTT 3.1.1 broker as a device needs to feel connected: it takes everything and delivers nothing.
 * What is stored and acknowledged is for tests with the real cloud.
 */
export function serveMqtt(
  socket: TLSSocket,
  hooks: { accepts(): boolean; connected(): void; gone(): void },
): void {
  let buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.once('close', hooks.gone);
  socket.on('data', (bytes: Buffer) => {
    buffer = Buffer.concat([buffer, bytes]);
    for (;;) {
      const packet = firstPacket(buffer);
      if (packet === undefined) return;
      buffer = buffer.subarray(packet.length);
      answer(socket, packet, hooks);
    }
  });
}

interface Packet {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
  readonly length: number;
}

function firstPacket(buffer: Buffer): Packet | undefined {
  let remaining = 0;
  for (let at = 1; at < Math.min(buffer.length, 5); at += 1) {
    const byte = buffer[at]!;
    remaining += (byte & 0x7f) * 128 ** (at - 1);
    if (byte & 0x80) continue;
    const length = at + 1 + remaining;
    if (buffer.length < length) return undefined;
    return { type: buffer[0]! >> 4, flags: buffer[0]! & 0xf, body: buffer.subarray(at + 1, length), length };
  }
  return undefined;
}

function answer(
  socket: TLSSocket,
  { type, flags, body }: Packet,
  hooks: { accepts(): boolean; connected(): void },
): void {
  if (type === PACKET.connect) {
    const accepted = hooks.accepts();
    socket.write(Buffer.of(0x20, 2, 0, accepted ? 0 : CONNACK_NOT_AUTHORIZED));
    if (accepted) hooks.connected();
    else socket.end();
  } else if (type === PACKET.subscribe) {
    let filters = 0;
    for (let at = 2; at < body.length; at += 3 + body.readUInt16BE(at)) filters += 1;
    const granted = new Array<number>(filters).fill(1);
    socket.write(Buffer.of(0x90, 2 + filters, body[0]!, body[1]!, ...granted));
  } else if (type === PACKET.publish && (flags & 0b0110) === 0b0010) {
    const at = 2 + body.readUInt16BE(0);
    socket.write(Buffer.of(0x40, 2, body[at]!, body[at + 1]!));
  } else if (type === PACKET.ping) {
    socket.write(Buffer.of(0xd0, 0));
  } else if (type === PACKET.disconnect) {
    socket.end();
  }
}
