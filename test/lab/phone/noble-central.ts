// A phone without a phone, in the guest: noble on hci1, at the other end of a serial port. Whoever holds the port on
// the host speaks the records of protocol/src/ble/simulated-link.ts. Each connection is a process of its own, because
// the library holds its adapter to the end of the process.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { encodeRecord, RecordDecoder, type SimulatedRecord } from '@ares/protocol/ble';
import { connectBluetooth } from '../../../cloud/src/adapters/noble-ble-central.ts';

const PORT = '/dev/virtio-ports/phone.0';
const POLL_MS = 5;
const FIND_WITHIN_MS = 8_000;

if (process.argv[2] === 'connection') await connection();
else await keepPort(process.argv[2] ?? PORT);

/** Hands each connection's records to a process, and back. */
async function keepPort(path: string): Promise<void> {
  const port = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  process.once('SIGTERM', () => {
    closeSync(port);
    process.exit();
  });
  const buffer = Buffer.alloc(4_096);
  const decoder = new RecordDecoder();
  let child: ReturnType<typeof connectionProcess> | undefined;
  console.error('ready');
  for (;;) {
    const bytes = readSome(port, buffer);
    if (bytes === undefined) {
      await wait(POLL_MS);
      continue;
    }
    if (bytes.length === 0) {
      // Nobody holds the host's end.
      child?.stdin.end();
      child = undefined;
      await wait(50);
      continue;
    }
    for (const record of decoder.push(bytes)) {
      if (record.kind !== 'connect') child?.stdin.write(encodeRecord(record));
      else {
        child?.kill('SIGKILL');
        child = connectionProcess((chunk) => tell(port, chunk));
      }
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
  console.error('connection');
  child.once('exit', (code) => {
    if (code !== 0 && code !== null)
      onData(Buffer.from(encodeRecord({ kind: 'disconnect', reason: `noble ended with ${code}` })));
  });
  return child;
}

/** What has come; nothing when there is nothing yet, an empty buffer at the end. */
function readSome(port: number, buffer: Buffer): Buffer | undefined {
  try {
    return Buffer.from(buffer.subarray(0, readSync(port, buffer, 0, buffer.length, null)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

/** What nobody listens to any more is lost. */
function tell(port: number, chunk: Buffer): void {
  try {
    writeSync(port, chunk);
  } catch (error) {
    console.error('not told', (error as Error).message);
  }
}

/** One connection, records on standard input and output. */
async function connection(): Promise<void> {
  const send = (record: SimulatedRecord) => void process.stdout.write(encodeRecord(record));
  const fail = (error: unknown) => {
    console.error(error);
    send({ kind: 'disconnect', reason: error instanceof Error ? error.message : String(error) });
    // Time for the record to leave.
    setTimeout(() => process.exit(), 100);
  };
  const opened = connectBluetooth({ timeoutMs: FIND_WITHIN_MS });
  const decoder = new RecordDecoder();
  let last = opened.then((link) => {
    link.onNotify((chunk) => send({ kind: 'notify', chunk }));
    link.onDisconnect(() => fail(new Error('the device has disconnected')));
    send({ kind: 'connected' });
  });
  const act = async (record: SimulatedRecord) => {
    const link = await opened;
    if (record.kind === 'read-info') send({ kind: 'info-value', value: await link.readInfo() });
    if (record.kind === 'write') await link.write(record.chunk);
    if (record.kind === 'disconnect') await end();
  };
  const end = async () => {
    const link = await opened;
    link.onDisconnect(() => undefined);
    await link.disconnect();
    process.exit();
  };
  last.catch(fail);
  process.stdin.on('data', (bytes: Buffer) => {
    for (const record of decoder.push(bytes)) last = last.then(() => act(record));
    last.catch(fail);
  });
  process.stdin.once('end', () => {
    last = last.then(end);
    last.catch(fail);
  });
}
