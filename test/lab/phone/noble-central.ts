// A phone without a phone, in the guest: noble on hci1, at the other end of a serial port. Whoever holds the port on
// the host speaks the records of protocol/src/ble/simulated-link.ts, and gets one `disconnect` at the end of each
// connection. Each is a process of its own, because the library holds its adapter to the end of the process.
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { constants, openSync, readSync, writeSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { encodeRecord, RecordDecoder, type SimulatedRecord } from '@ares/protocol/ble';
import { connectBluetooth } from '../../../cloud/src/adapters/noble-ble-central.ts';

const PORT = '/dev/virtio-ports/phone.0';
const POLL_MS = 5;
const FIND_WITHIN_MS = 8_000;
const END_WITHIN_MS = 5_000;

if (process.argv[2] === 'connection') await connection();
else await keepPort(process.argv[2] ?? PORT);

/** Hands each connection's records to a process, and back. */
async function keepPort(path: string): Promise<void> {
  const port = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(4_096);
  const decoder = new RecordDecoder();
  let child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  console.error('ready');
  for (;;) {
    const bytes = readSome(port, buffer);
    if (bytes === undefined || bytes.length === 0) {
      await wait(POLL_MS);
      continue;
    }
    for (const record of decoder.push(bytes)) {
      if (record.kind === 'connect') {
        child = connectionProcess((chunk) => writeSync(port, chunk));
        child.once('exit', (code, signal) => {
          child = undefined;
          writeSync(port, encodeRecord({ kind: 'disconnect', reason: `ended with ${code ?? signal}` }));
        });
      } else if (record.kind === 'disconnect') {
        const ending = child;
        ending?.stdin.end();
        setTimeout(() => ending?.kill('SIGKILL'), END_WITHIN_MS).unref();
      } else child?.stdin.write(encodeRecord(record));
    }
  }
}

function connectionProcess(onData: (chunk: Buffer) => void) {
  // The adapter must be fresh, or the library takes it for one without Bluetooth LE.
  for (const state of ['down', 'up']) execFileSync('hciconfig', ['hci1', state]);
  const child = spawn(process.execPath, [process.argv[1] ?? '', 'connection'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NOBLE_HCI_DEVICE_ID: '1' },
  });
  child.stdin.on('error', () => undefined);
  child.stdout.on('data', onData);
  return child;
}

/** What has come; nothing when there is nothing yet, an empty buffer while the host's end is open to nobody. */
function readSome(port: number, buffer: Buffer): Buffer | undefined {
  try {
    return Buffer.from(buffer.subarray(0, readSync(port, buffer, 0, buffer.length, null)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

/** One connection, records on standard input and output. Its end is the end of the process. */
async function connection(): Promise<void> {
  const send = (record: SimulatedRecord) => void process.stdout.write(encodeRecord(record));
  const fail = (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  };
  const link = await connectBluetooth({ timeoutMs: FIND_WITHIN_MS }).catch(fail);
  if (link === undefined) return;
  link.onNotify((chunk) => send({ kind: 'notify', chunk }));
  link.onDisconnect(() => fail('the device has disconnected'));
  send({ kind: 'connected' });
  const act = async (record: SimulatedRecord) => {
    if (record.kind === 'read-info') send({ kind: 'info-value', value: await link.readInfo() });
    if (record.kind === 'write') await link.write(record.chunk);
  };
  const decoder = new RecordDecoder();
  let last = Promise.resolve();
  process.stdin.on('data', (bytes: Buffer) => {
    for (const record of decoder.push(bytes)) last = last.then(() => act(record));
    last.catch(fail);
  });
  process.stdin.once('end', () => {
    link.onDisconnect(() => undefined);
    last.then(() => link.disconnect()).then(() => process.exit(), fail);
  });
}
