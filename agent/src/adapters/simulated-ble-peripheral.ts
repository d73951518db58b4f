import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { encodeRecord, MIN_MTU_PAYLOAD, RecordDecoder, type SimulatedRecord } from '@ares/protocol/ble';
import type { BlePeripheral, PeripheralConnection } from '../ports/ble-peripheral.ts';
import { socketAddress } from './unix-socket.ts';

/** What a notification carries at the largest MTU of Bluetooth 4.2 and later. */
const MAX_MTU_PAYLOAD = 509;

/** A radio without air: phones are processes that connect to a Unix socket. Same GATT bytes as bleno. */
export function createSimulatedBlePeripheral(options: {
  readonly socketPath: string;
  /** Longest time from the socket's connection to Bluetooth's, ms: who says nothing keeps no phone out. */
  readonly connectWithinMs?: number;
}): BlePeripheral {
  const { socketPath, connectWithinMs = 5_000 } = options;
  let server: Server | undefined;
  let release: () => void = () => {};
  let advertising = false;
  let occupied = false;
  const sockets = new Set<Socket>();
  return {
    async open({ info, connected }) {
      // A socket file that an earlier process left behind would refuse the address for ever.
      rmSync(socketPath, { force: true });
      server = createServer((socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
        if (!advertising || occupied) return refuse(socket, occupied ? 'BUSY' : 'NOT_ADVERTISING');
        occupied = true;
        socket.once('close', () => {
          occupied = false;
        });
        const silent = setTimeout(() => socket.destroy(), connectWithinMs);
        socket.once('close', () => clearTimeout(silent));
        serve(socket, info, (connection) => {
          clearTimeout(silent);
          connected(connection);
        });
      });
      const address = socketAddress(socketPath);
      release = address.release;
      server.listen(address.path);
      await once(server, 'listening');
    },
    setAdvertising(on) {
      advertising = on;
    },
    async close() {
      advertising = false;
      for (const socket of sockets) socket.destroy();
      if (server?.listening) {
        const closed = once(server, 'close');
        server.close();
        await closed;
        release();
      }
    },
  };
}

function refuse(socket: Socket, reason: string): void {
  socket.on('error', () => socket.destroy());
  socket.resume();
  socket.end(encodeRecord({ kind: 'disconnect', reason }));
  socket.setTimeout(1_000, () => socket.destroy());
}

function serve(
  socket: Socket,
  info: () => Uint8Array,
  connected: (connection: PeripheralConnection) => void,
): void {
  const decoder = new RecordDecoder();
  let onWrite: (chunk: Uint8Array) => void = () => {};
  let onDisconnect: () => void = () => {};
  let open = false;
  const send = (record: SimulatedRecord) => socket.write(encodeRecord(record));
  const take = (record: SimulatedRecord) => {
    switch (record.kind) {
      case 'connect':
        if (open) return;
        open = true;
        send({ kind: 'connected' });
        connected({
          mtuPayload: Math.min(Math.max(record.mtuPayload, MIN_MTU_PAYLOAD), MAX_MTU_PAYLOAD),
          onWrite: (listener) => {
            onWrite = listener;
          },
          onDisconnect: (listener) => {
            onDisconnect = listener;
          },
          notify: async (chunk) => {
            if (socket.destroyed) throw new Error('the phone has gone');
            send({ kind: 'notify', chunk });
          },
          disconnect: (reason) => {
            if (!socket.destroyed) socket.end(encodeRecord({ kind: 'disconnect', reason }));
          },
        });
        return;
      case 'read-info':
        if (open) send({ kind: 'info-value', value: info() });
        return;
      case 'write':
        if (open) onWrite(record.chunk);
        return;
      case 'disconnect':
        socket.end();
        return;
      case 'connected':
      case 'info-value':
      case 'notify':
        socket.destroy();
    }
  };
  socket.on('data', (bytes: Buffer) => {
    try {
      for (const record of decoder.push(bytes)) take(record);
    } catch {
      socket.destroy();
    }
  });
  socket.on('error', () => socket.destroy());
  socket.once('close', () => onDisconnect());
}
