import type { Clock } from '../../ports/clock.ts';
import type { ChosenAdapter } from './choose-adapter.ts';
import { type BlenoLibrary, type HciSocket, type LoadedBleno, RadioError } from './library.ts';
import { takeAdapter } from './take-adapter.ts';

const POWERED_ON_WITHIN_MS = 10_000;
const DEFAULT_ATT_MTU = 23;

/** What happens by radio, told alike for both libraries. */
export interface RadioEvents {
  /** One at a time; a second phone is disconnected without a word. */
  connected(): void;
  disconnected(): void;
  /** The ATT MTU of the connection that stands. */
  mtu(bytes: number): void;
  failed(error: RadioError): void;
}

/** An adapter in the hands of a library. */
export interface BlenoRadio {
  readonly library: BlenoLibrary;
  /** Drops the handle that one of the libraries puts before a callback's arguments, and strangers' calls. */
  callback(run: (...values: never[]) => void): (...values: never[]) => void;
  /** Packets that have not gone out by air yet. */
  outstanding(): number;
  /** Ends the connection that stands. */
  disconnect(): void;
  stop(): void;
}

/**
 * Takes the adapter, lets the library begin on it and waits until it is ready.
 * @throws {RadioError} as {@link takeAdapter}; NOT_WORKING when the adapter does not answer
 */
export async function startBlenoRadio(ports: {
  readonly loaded: LoadedBleno;
  readonly adapter: ChosenAdapter;
  readonly clock: Pick<Clock, 'after' | 'monotonicMs'>;
  readonly events: RadioEvents;
}): Promise<BlenoRadio> {
  const { loaded, adapter, clock, events } = ports;
  const { library, passesHandles } = loaded;
  const hci = library._bindings._hci;
  const Socket = hci._socket.constructor as new () => HciSocket;
  const socket = await takeAdapter(adapter, () => new Socket(), clock);
  // The library binds without waiting and cannot begin a second time; it gets the socket that is bound already.
  hci._socket = socket;
  for (const name of ['bindUser', 'bindRaw'])
    Object.defineProperty(socket, name, { value: () => adapter.index });
  if ('BluetoothHciSocket' in hci) hci.BluetoothHciSocket = NoKeyStore;
  let handle: number | undefined;
  const disconnect = () => {
    if (handle !== undefined) hci.disconnect(handle);
  };
  guardAgainstMalformedPackets(library, disconnect);
  let ready = false;
  const powered = Promise.withResolvers<void>();
  library.on('accept', (_address: string, given?: number) => {
    const accepted = given ?? library._bindings._handle ?? 0;
    if (handle !== undefined) return hci.disconnect(accepted);
    handle = accepted;
    // One library would go on advertising for a second phone, the other begin again by itself.
    library.stopAdvertising();
    events.connected();
    events.mtu(DEFAULT_ATT_MTU);
  });
  library.on('disconnect', (_address: string, given?: number) => {
    if (handle === undefined || (given ?? handle) !== handle) return;
    handle = undefined;
    // First the library ends its own part.
    queueMicrotask(() => events.disconnected());
  });
  library.on('mtuChange', (mtu: number) => events.mtu(mtu));
  const advertisingFailed = (error?: Error | null) => {
    if (error instanceof Error) events.failed(notWorking(`it does not advertise: ${error.message}`, error));
  };
  library.on('advertisingStart', advertisingFailed);
  library.on('advertisingStartError', advertisingFailed);
  withoutProcessHandlers(() =>
    library.on('stateChange', (state: string) => {
      if (state === 'poweredOn') {
        ready = true;
        powered.resolve();
      } else if (ready)
        events.failed(new RadioError('ADAPTER_LOST', `The Bluetooth adapter is ${state} now.`));
      else if (state !== 'poweredOff') powered.reject(notWorking(`it is ${state}`));
    }),
  );
  const cancel = clock.after(POWERED_ON_WITHIN_MS, () => powered.reject(notWorking('it does not answer')));
  try {
    await powered.promise;
  } finally {
    cancel();
  }
  return {
    library,
    callback: (run) =>
      passesHandles
        ? (of: number, ...values: never[]) => {
            if (of === handle) run(...values);
          }
        : run,
    outstanding: () =>
      Object.values(hci._handleAclsInProgress).reduce((sum, count) => sum + count, hci._aclOutQueue.length),
    disconnect,
    stop() {
      library.stopAdvertising();
      socket.stop();
    },
  };
}

function notWorking(why: string, cause?: Error): RadioError {
  return new RadioError('NOT_WORKING', `The Bluetooth adapter cannot be used: ${why}.`, { cause });
}

/** BLE-03: bytes of anybody that are no packet would otherwise be an uncaught exception, the end of the radio. */
function guardAgainstMalformedPackets(library: BlenoLibrary, endConnection: () => void): void {
  const hci = library._bindings._hci;
  const take = hci.onSocketData;
  hci.onSocketData = (data) => {
    try {
      take.call(hci, data);
    } catch {
      endConnection();
    }
  };
}

/** The libraries end the process at Ctrl-C, and write to the adapter as it ends; both is its owner's business. */
function withoutProcessHandlers(start: () => void): void {
  const signals = ['SIGINT', 'exit'] as const;
  const before = signals.map((signal) => new Set<unknown>(process.listeners(signal as 'SIGINT')));
  start();
  for (const [index, signal] of signals.entries()) {
    for (const listener of process.listeners(signal as 'SIGINT')) {
      if (before[index]?.has(listener) !== true) process.removeListener(signal, listener);
    }
  }
}

/** Stands where a library would keep bonding keys: Ares encrypts by itself, and nobody is bonded. */
class NoKeyStore {
  on(): void {}
  bindControl(): void {}
  start(): void {}
  stop(): void {}
  write(): void {}
}
