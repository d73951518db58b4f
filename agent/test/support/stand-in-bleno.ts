import { EventEmitter } from 'node:events';
import {
  BleError,
  type BleLink,
  INFO_CHARACTERISTIC_UUID,
  REQUEST_CHARACTERISTIC_UUID,
  RESPONSE_CHARACTERISTIC_UUID,
} from '@ares/protocol/ble';
import type {
  BlenoLibrary,
  CharacteristicOptions,
  LoadedBleno,
} from '../../src/adapters/bluetooth/library.ts';

type Callback = (...values: unknown[]) => void;

/** A phone that is connected to the stand-in, with what only a test does. */
export interface StandInPhone extends BleLink {
  readonly handle: number;
  /** Asks for an ATT MTU, as phones do after they have connected. */
  exchangeMtu(mtu: number): void;
  /** One part of a long read. @throws with the result's number */
  readAt(offset: number): Uint8Array;
  /** A write with all its particulars; the answer is the result's number. */
  writeAt(data: Uint8Array, offset: number, withoutResponse?: boolean): number | undefined;
  unsubscribe(): void;
  readonly open: boolean;
}

/** Either library with its adapter, as far as the agent uses them. */
export interface StandInBleno {
  readonly loaded: LoadedBleno;
  /** Advertisement and scan response, while it is to be found. */
  readonly advertising: readonly [Buffer, Buffer] | undefined;
  /** What was asked of the kernel, such as `bindUser 0` or `power 0 off`. */
  readonly asked: string[];
  readonly up: Map<number, boolean>;
  /** Errors that the next attempts to bind end with. */
  readonly bindErrors: Error[];
  readonly state: { current: string };
  /** Packets that the controller has not taken, for back-pressure. */
  readonly queue: unknown[];
  readonly stopped: boolean;
  connect(): StandInPhone;
  emit(event: string, ...values: unknown[]): void;
  receive(bytes: Buffer): void;
}

/** @param passesHandles true: as `@stoprocent/bleno`; false: as `@abandonware/bleno` */
export function createStandInBleno(passesHandles: boolean): StandInBleno {
  const asked: string[] = [];
  const up = new Map([[0, true]]);
  const bindErrors: Error[] = [];
  const queue: unknown[] = [];
  const state = { current: 'poweredOn' };
  const events = new EventEmitter();
  const phones = new Map<number, { end(): void }>();
  let characteristics: CharacteristicOptions[] = [];
  let advertised: readonly [Buffer, Buffer] | undefined;
  let restart = false;
  let on = false;
  let begun = false;
  let stopped = false;
  let lastHandle = 63;

  class Socket {
    bindControl() {
      asked.push('bindControl');
    }
    bindUser(index: number) {
      return this.#bind('bindUser', index);
    }
    bindRaw(index: number) {
      return this.#bind('bindRaw', index);
    }
    #bind(how: string, index: number) {
      asked.push(`${how} ${index}`);
      const error = bindErrors.shift();
      if (error !== undefined) throw error;
      return index;
    }
    write(command: Buffer) {
      const index = command.readUInt16LE(2);
      const wanted = command.readUInt8(6) === 1;
      asked.push(`power ${index} ${wanted ? 'on' : 'off'}`);
      up.set(index, wanted);
    }
    stop() {
      stopped = true;
    }
    getDeviceList() {
      return [...up].map(([devId, devUp]) => ({ devId, devUp }));
    }
    on() {}
  }
  // Methods of native code cannot be assigned to.
  for (const name of ['bindUser', 'bindRaw'] as const)
    Object.defineProperty(Socket.prototype, name, { value: Socket.prototype[name], writable: false });

  const hci = {
    _socket: new Socket(),
    _aclOutQueue: queue,
    _handleAclsInProgress: {} as Record<string, number>,
    onSocketData(data: Buffer) {
      data.readUInt16LE(1);
    },
    disconnect: (handle: number) => setImmediate(() => phones.get(handle)?.end()),
    // One of the libraries makes a socket for the bonding keys of each connection.
    ...(passesHandles && { BluetoothHciSocket: Socket }),
  };
  const bindings = { _hci: hci, _handle: null as number | null };
  const begin = () => {
    process.on('SIGINT', function exitOfLibrary() {
      process.exit(1);
    });
    hci.onSocketData = hci.onSocketData.bind(hci);
    hci._socket.bindUser(0);
    setImmediate(() => events.emit('stateChange', state.current));
  };
  const library: BlenoLibrary = {
    PrimaryService: class {
      constructor(options: { characteristics: readonly unknown[] }) {
        characteristics = options.characteristics as CharacteristicOptions[];
      }
    },
    Characteristic: class {
      constructor(options: CharacteristicOptions) {
        Object.assign(this, options);
      }
    },
    on(event, listener) {
      if (event === 'stateChange' && !begun) {
        begun = true;
        begin();
      }
      events.on(event, listener as Callback);
    },
    setServices() {},
    startAdvertisingWithEIRData(advertisement, scanResponse) {
      restart = true;
      on = true;
      advertised = [advertisement, scanResponse];
      events.emit('advertisingStart', null);
    },
    stopAdvertising() {
      restart = false;
      on = false;
    },
    _bindings: bindings,
  };
  const call = (uuid: string, name: keyof CharacteristicOptions, handle: number, ...values: unknown[]) => {
    const found = characteristics.find((one) => one.uuid === uuid.replaceAll('-', ''));
    const run = found?.[name] as Callback | undefined;
    run?.(...(passesHandles ? [handle] : []), ...values);
  };

  const connect = (): StandInPhone => {
    if (!on) throw new BleError('LINK_LOST', 'the device is not advertising');
    lastHandle += 1;
    const handle = lastHandle;
    // A controller stops advertising for the connection; one of the libraries begins again at once.
    on = false;
    let mtu = 23;
    let open = true;
    let notified: (chunk: Uint8Array) => void = () => {};
    let disconnected = () => {};
    const own = passesHandles ? [handle] : [];
    phones.set(handle, {
      end() {
        if (!open) return;
        open = false;
        phones.delete(handle);
        bindings._handle = null;
        call(RESPONSE_CHARACTERISTIC_UUID, 'onUnsubscribe', handle);
        events.emit('disconnect', 'aa:bb', ...own);
        if (restart) on = true;
        disconnected();
      },
    });
    bindings._handle = handle;
    if (hci.BluetoothHciSocket !== undefined) new hci.BluetoothHciSocket().bindControl();
    events.emit('accept', 'aa:bb', ...own);
    if (passesHandles && restart) on = true;
    const phone: StandInPhone = {
      handle,
      get mtuPayload() {
        return mtu - 3;
      },
      get open() {
        return open;
      },
      exchangeMtu(wanted) {
        mtu = wanted;
        events.emit('mtuChange', wanted);
      },
      readAt(offset) {
        let value: Uint8Array | undefined;
        call(INFO_CHARACTERISTIC_UUID, 'onReadRequest', handle, offset, (result: number, data?: Buffer) => {
          if (result !== 0) throw new Error(`read: ${result}`);
          value = data?.subarray(0, mtu - 1);
        });
        return value ?? new Uint8Array();
      },
      async readInfo() {
        return Buffer.concat([phone.readAt(0)]);
      },
      writeAt(data, offset, withoutResponse = false) {
        let result: number | undefined;
        call(
          REQUEST_CHARACTERISTIC_UUID,
          'onWriteRequest',
          handle,
          Buffer.from(data),
          offset,
          withoutResponse,
          (given: number) => {
            result = given;
          },
        );
        return result;
      },
      async write(chunk) {
        if (!open) throw new BleError('LINK_LOST', 'gone');
        const result = phone.writeAt(chunk, 0);
        if (result !== 0) throw new Error(`write: ${result}`);
      },
      onNotify(listener) {
        notified = listener;
      },
      onDisconnect(listener) {
        disconnected = listener;
        if (!open) listener();
      },
      disconnect: () => phones.get(handle)?.end(),
      unsubscribe: () => call(RESPONSE_CHARACTERISTIC_UUID, 'onUnsubscribe', handle),
    };
    call(RESPONSE_CHARACTERISTIC_UUID, 'onSubscribe', handle, mtu - 3, (data: Buffer) =>
      // Cut like a controller's, and later than the call.
      setImmediate(() => notified(data.subarray(0, mtu - 3))),
    );
    return phone;
  };

  return {
    loaded: { library, passesHandles },
    get advertising() {
      return on ? advertised : undefined;
    },
    asked,
    up,
    bindErrors,
    state,
    queue,
    get stopped() {
      return stopped;
    },
    connect,
    emit: (event, ...values) => void events.emit(event, ...values),
    receive: (bytes) => hci.onSocketData(bytes),
  };
}
