import { connect, type Socket } from 'node:net';
import {
  BleError,
  type BleLink,
  encodeRecord,
  RecordDecoder,
  type SimulatedRecord,
} from '@ares/protocol/ble';
import { socketAddress } from './unix-socket.ts';

/** What a phone gets on most connections: ATT MTU 247. */
const MTU_PAYLOAD = 244;
/** Who takes the connection and then says nothing is no device. */
const ANSWER_WITHIN_MS = 30_000;

/**
 * Connects to a simulated device whose radio is the unix socket at `path`.
 * @throws {BleError} LINK_LOST when nobody listens there or the device is not advertising
 */
export async function connectSimulatedBle(path: string): Promise<BleLink> {
  const socket = connectTo(path);
  const decoder = new RecordDecoder();
  let notified: (chunk: Uint8Array) => void = () => {};
  let disconnected: () => void = () => {};
  let ended: BleError | undefined;
  const waiting = new Map<SimulatedRecord['kind'], (record: SimulatedRecord) => void>();
  const failures = new Set<(error: BleError) => void>();

  const end = (reason: string, cause?: unknown) => {
    if (ended !== undefined) return;
    ended = new BleError('LINK_LOST', reason, { cause });
    socket.destroy();
    for (const fail of failures) fail(ended);
    disconnected();
  };
  const send = (record: SimulatedRecord) =>
    new Promise<void>((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      socket.write(encodeRecord(record), (error) => (error ? reject(error) : resolve()));
    });
  const answer = <K extends SimulatedRecord['kind']>(kind: K) =>
    new Promise<Extract<SimulatedRecord, { kind: K }>>((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      failures.add(reject);
      waiting.set(kind, (record) => {
        waiting.delete(kind);
        failures.delete(reject);
        resolve(record as Extract<SimulatedRecord, { kind: K }>);
      });
    });
  socket.on('error', (error) => end(`no device answers at ${path}: is the agent running?`, error));
  socket.on('close', () => end('the Bluetooth connection was lost'));
  socket.on('data', (bytes) => {
    try {
      for (const record of decoder.push(bytes)) {
        if (record.kind === 'notify') notified(record.chunk);
        else if (record.kind === 'disconnect') end(record.reason || 'the device has disconnected');
        else waiting.get(record.kind)?.(record);
      }
    } catch (error) {
      end('the device sent nonsense', error);
    }
  });

  const connected = answer('connected');
  send({ kind: 'connect', mtuPayload: MTU_PAYLOAD }).catch((error: unknown) => end('no connection', error));
  const timer = setTimeout(() => end('the device does not answer'), ANSWER_WITHIN_MS);
  try {
    await connected;
  } finally {
    clearTimeout(timer);
  }
  return {
    mtuPayload: MTU_PAYLOAD,
    async readInfo() {
      const info = answer('info-value');
      await send({ kind: 'read-info' });
      return (await info).value;
    },
    write: (chunk) => send({ kind: 'write', chunk }),
    onNotify(listener) {
      notified = listener;
    },
    onDisconnect(listener) {
      disconnected = listener;
      if (ended !== undefined) listener();
    },
    disconnect() {
      if (ended === undefined) socket.end(encodeRecord({ kind: 'disconnect', reason: '' }));
    },
  };
}

function connectTo(path: string): Socket {
  let address: ReturnType<typeof socketAddress>;
  try {
    address = socketAddress(path);
  } catch (cause) {
    throw new BleError('LINK_LOST', `no device answers at ${path}: is the agent running?`, { cause });
  }
  const socket = connect(address.path);
  // The kernel has looked the path up by then.
  for (const event of ['connect', 'close'] as const) socket.once(event, address.release);
  return socket;
}
