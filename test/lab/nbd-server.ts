import { createServer, type Socket } from 'node:net';
import type { VolatileDisk } from './volatile-disk.ts';

/*
 * A server of the NBD protocol (doc/proto.md of the NBD project), as much of it as QEMU asks for: fixed newstyle
 * handshake, one export, simple replies.
 */

const OPTION_MAGIC = Buffer.from('IHAVEOPT');
const OPTION_REPLY_MAGIC = Buffer.from('0003e889045565a9', 'hex');
const REQUEST_MAGIC = 0x25609513;
const REPLY_MAGIC = 0x67446698;
const option = { abort: 2, go: 7 };
const reply = { ack: 1, info: 3, unsupported: 0x8000_0001 };
const request = { read: 0, write: 1, disconnect: 2, flush: 3 };
/** Has flags, takes FLUSH, takes FUA. */
const TRANSMISSION_FLAGS = 0b1101;
const FUA = 1;
const EINVAL = 22;

/** Serves the disk at a Unix socket until closed. */
export async function serveNbd(disk: VolatileDisk, path: string): Promise<{ close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
    void converse(socket, disk).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function converse(socket: Socket, disk: VolatileDisk): Promise<void> {
  const take = reader(socket);
  // NO_ZEROES and FIXED_NEWSTYLE.
  socket.write(Buffer.concat([Buffer.from('NBDMAGIC'), OPTION_MAGIC, Buffer.from([0, 3])]));
  await take(4);
  for (;;) {
    const head = await take(16);
    const kind = head.readUInt32BE(8);
    await take(head.readUInt32BE(12));
    const answer = (type: number, data = Buffer.alloc(0)) => {
      const words = Buffer.alloc(12);
      words.writeUInt32BE(kind, 0);
      words.writeUInt32BE(type, 4);
      words.writeUInt32BE(data.length, 8);
      socket.write(Buffer.concat([OPTION_REPLY_MAGIC, words, data]));
    };
    if (kind === option.go) {
      const information = Buffer.alloc(12);
      information.writeBigUInt64BE(BigInt(disk.bytes), 2);
      information.writeUInt16BE(TRANSMISSION_FLAGS, 10);
      answer(reply.info, information);
      answer(reply.ack);
      return await transmit(socket, disk, take);
    }
    answer(kind === option.abort ? reply.ack : reply.unsupported);
    if (kind === option.abort) return void socket.end();
  }
}

async function transmit(socket: Socket, disk: VolatileDisk, take: Take): Promise<void> {
  for (;;) {
    const head = await take(28);
    if (head.readUInt32BE(0) !== REQUEST_MAGIC) throw new Error('not an NBD request');
    const type = head.readUInt16BE(6);
    const offset = Number(head.readBigUInt64BE(16));
    const length = head.readUInt32BE(24);
    let data: Buffer = Buffer.alloc(0);
    let error = 0;
    if (type === request.disconnect) return void socket.end();
    if (type === request.read) data = disk.read(offset, length);
    else if (type === request.write) {
      disk.write(offset, await take(length));
      // Force unit access: this write is to be on the disk. That the others go with it is only kinder than a disk.
      if ((head.readUInt16BE(4) & FUA) !== 0) disk.flush();
    } else if (type === request.flush) disk.flush();
    else error = EINVAL;
    const answer = Buffer.alloc(16);
    answer.writeUInt32BE(REPLY_MAGIC, 0);
    answer.writeUInt32BE(error, 4);
    head.copy(answer, 8, 8, 16);
    socket.write(answer);
    // A copy: the disk goes on changing while the bytes wait in the socket.
    if (data.length > 0) socket.write(Buffer.from(data));
  }
}

type Take = (length: number) => Promise<Buffer>;

/** Reads a stream by lengths. Rejects when it ends. */
function reader(socket: Socket): Take {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let held = Buffer.alloc(0);
  return async (length) => {
    while (held.length < length) {
      const next = await chunks.next();
      if (next.done === true) throw new Error('the client has gone');
      held = Buffer.concat([held, next.value]);
    }
    const taken = held.subarray(0, length);
    held = held.subarray(length);
    return taken;
  };
}
