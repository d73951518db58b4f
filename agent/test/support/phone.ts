import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  type BleLink,
  connectDevice,
  type DeviceConnection,
  encodeRecord,
  RecordDecoder,
} from '@ares/protocol/ble';

/** A central on the simulated radio. @throws when the device is not found */
export async function openLink(
  socketPath: string,
  mtuPayload = 180,
): Promise<BleLink & { readonly socket: Socket }> {
  const socket = connect(socketPath);
  await once(socket, 'connect');
  const decoder = new RecordDecoder();
  let onNotify: (chunk: Uint8Array) => void = () => {};
  let onDisconnect: () => void = () => {};
  let info: ((value: Uint8Array) => void) | undefined;
  const connected = Promise.withResolvers<void>();
  connected.promise.catch(() => undefined);
  socket.on('data', (bytes: Buffer) => {
    for (const record of decoder.push(bytes)) {
      if (record.kind === 'connected') connected.resolve();
      if (record.kind === 'notify') onNotify(record.chunk);
      if (record.kind === 'info-value') info?.(record.value);
      if (record.kind === 'disconnect') connected.reject(new Error(record.reason));
    }
  });
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    connected.reject(new Error('closed'));
    onDisconnect();
  });
  socket.write(encodeRecord({ kind: 'connect', mtuPayload }));
  await connected.promise;
  return {
    socket,
    mtuPayload,
    readInfo: () =>
      new Promise((resolve) => {
        info = resolve;
        socket.write(encodeRecord({ kind: 'read-info' }));
      }),
    write: async (chunk) => void socket.write(encodeRecord({ kind: 'write', chunk })),
    onNotify: (listener) => {
      onNotify = listener;
    },
    onDisconnect: (listener) => {
      onDisconnect = listener;
    },
    disconnect: () => void socket.end(),
  };
}

/** A phone with the setup code; waits until the device can be found. */
export async function pair(socketPath: string, setupCode: string): Promise<DeviceConnection> {
  const until = Date.now() + 15_000;
  for (;;) {
    try {
      const link = await openLink(socketPath);
      return await connectDevice({ link, setupCode, random: (count) => randomBytes(count) });
    } catch (cause) {
      if (Date.now() > until) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
