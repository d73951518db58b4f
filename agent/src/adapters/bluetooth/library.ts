/**
 * What both Bluetooth libraries have in common, `@stoprocent/bleno` and `@abandonware/bleno`: forks of one program,
 * whose inner parts still bear the same names. Those that begin with `_` are not documented by them; they are used
 * because only through them an adapter can be waited for and a malformed packet be survived.
 */
export interface BlenoLibrary {
  readonly PrimaryService: new (options: {
    readonly uuid: string;
    readonly characteristics: readonly unknown[];
  }) => unknown;
  readonly Characteristic: new (options: CharacteristicOptions) => unknown;
  /** The first listener for `stateChange` makes the library begin. */
  on(event: string, listener: (...values: never[]) => void): unknown;
  setServices(services: readonly unknown[]): void;
  startAdvertisingWithEIRData(advertisement: Buffer, scanResponse: Buffer): void;
  stopAdvertising(): void;
  readonly _bindings: { readonly _hci: BlenoHci; readonly _handle?: number | null };
}

export interface CharacteristicOptions {
  readonly uuid: string;
  readonly properties: readonly string[];
  /** In `@stoprocent/bleno` each callback has the connection's handle as its first argument. */
  readonly onReadRequest?: (...values: never[]) => void;
  readonly onWriteRequest?: (...values: never[]) => void;
  readonly onSubscribe?: (...values: never[]) => void;
  readonly onUnsubscribe?: (...values: never[]) => void;
}

/** The library's half of the Host Controller Interface. */
export interface BlenoHci {
  _socket: HciSocket;
  /** Makes a socket for each connection's bonding, which Ares does not use; only in `@stoprocent/bleno`. */
  BluetoothHciSocket?: unknown;
  /** Packets that wait for the controller, and by handle those that it has not sent yet. */
  readonly _aclOutQueue: readonly unknown[];
  readonly _handleAclsInProgress: Readonly<Record<string, number>>;
  onSocketData(data: Buffer): void;
  disconnect(handle: number): void;
}

/** A socket of the kernel's Bluetooth, of the library's native part. */
export interface HciSocket {
  bindControl(): void;
  /** @throws with the kernel's reason: as `code` by one library, by the other in words only */
  bindUser(index: number): number;
  bindRaw(index: number): number;
  write(bytes: Buffer): void;
  stop(): void;
  getDeviceList(): readonly { readonly devId: number | null; readonly devUp: boolean | null }[];
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** A library that is loaded, and how it differs from the other. */
export interface LoadedBleno {
  readonly library: BlenoLibrary;
  /** Whether callbacks begin with the connection's handle. */
  readonly passesHandles: boolean;
}

/** Loads a library for one adapter, which it is told by the environment. */
export type LoadBleno = (adapter: {
  readonly index: number;
  readonly channel: 'user' | 'raw';
  readonly name: string;
}) => Promise<LoadedBleno>;

/** Why Bluetooth cannot be used; the message says what to do. */
export class RadioError extends Error {
  override readonly name = 'RadioError';
  readonly code:
    | 'NO_LIBRARY'
    | 'NO_ADAPTER'
    | 'BLOCKED'
    | 'NOT_ALLOWED'
    | 'BUSY'
    | 'NOT_WORKING'
    | 'ADAPTER_LOST';

  constructor(code: RadioError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
