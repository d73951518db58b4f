import {
  INFO_CHARACTERISTIC_UUID,
  MIN_MTU_PAYLOAD,
  REQUEST_CHARACTERISTIC_UUID,
  RESPONSE_CHARACTERISTIC_UUID,
  SERVICE_UUID,
} from '@ares/protocol/ble';
import type { BlePeripheral, PeripheralConnection } from '../ports/ble-peripheral.ts';
import type { Clock } from '../ports/clock.ts';
import { advertisement, scanResponse } from './bluetooth/advertisement.ts';
import { type BlenoRadio, startBlenoRadio } from './bluetooth/bleno-radio.ts';
import type { ChosenAdapter } from './bluetooth/choose-adapter.ts';
import { type LoadBleno, RadioError } from './bluetooth/library.ts';

/** Results of a read or write, as Bluetooth numbers them. */
const SUCCESS = 0x00;
const INVALID_OFFSET = 0x07;
const INVALID_LENGTH = 0x0d;

/** Most bytes of an attribute; longer ones can only come in prepared writes, which no client of Ares sends. */
const MAX_ATTRIBUTE_BYTES = 512;
const ATT_HEADER_BYTES = 3;
/** Notifications that wait for the air, at most: about one message. */
const MAX_OUTSTANDING = 16;
const SEND_WITHIN_MS = 5_000;
const FLUSH_WITHIN_MS = 1_000;
const POLL_MS = 5;
const ADAPTER_CHECK_MS = 5_000;

interface Connection {
  mtuPayload: number;
  notify: ((chunk: Buffer) => void) | undefined;
  onWrite(chunk: Uint8Array): void;
  onDisconnect(): void;
  open: boolean;
}

/**
 * The Bluetooth adapter of this computer, driven by one of the bleno libraries. They speak to the controller
 * themselves, without a Bluetooth daemon.
 *
 * Invariants: one connection at a time; advertising stops while a phone is
 * connected and begins again after it only when it is wanted; after `close` nothing is reported any more.
 */
export function createBlenoPeripheral(ports: {
  readonly load: LoadBleno;
  readonly name: string;
  readonly clock: Pick<Clock, 'after' | 'monotonicMs'>;
  /** Unblocks the radio and says which adapter to take. @throws {RadioError} */
  prepare(): ChosenAdapter;
  /** Whether the adapter is still there. */
  present(adapter: ChosenAdapter): boolean;
}): BlePeripheral {
  const { clock, name } = ports;
  let radio: BlenoRadio | undefined;
  let current: Connection | undefined;
  let wanted = false;
  let closed = false;
  let cancelCheck = () => {};
  let fail: (error: RadioError) => void = () => {};

  const advertise = () => {
    if (closed || radio === undefined || current !== undefined) return;
    try {
      if (wanted) radio.library.startAdvertisingWithEIRData(advertisement(SERVICE_UUID), scanResponse(name));
      else radio.library.stopAdvertising();
    } catch (cause) {
      fail(
        new RadioError('NOT_WORKING', `The Bluetooth adapter does not advertise: ${String(cause)}`, {
          cause,
        }),
      );
    }
  };

  const until = async (condition: () => boolean, withinMs: number) => {
    const deadline = clock.monotonicMs() + withinMs;
    while (!condition()) {
      if (clock.monotonicMs() > deadline) return false;
      await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve));
    }
    return true;
  };

  const portOf = (connection: Connection): PeripheralConnection => ({
    get mtuPayload() {
      return connection.mtuPayload;
    },
    onWrite: (listener) => {
      connection.onWrite = listener;
    },
    onDisconnect: (listener) => {
      connection.onDisconnect = listener;
    },
    async notify(chunk) {
      const sent = () => !connection.open || (radio?.outstanding() ?? 0) < MAX_OUTSTANDING;
      if (!(await until(sent, SEND_WITHIN_MS))) throw new Error('the phone does not take what it asked for');
      if (!connection.open) throw new Error('the phone has gone');
      if (connection.notify === undefined) throw new Error('the phone has not subscribed to responses');
      connection.notify(Buffer.from(chunk));
    },
    disconnect() {
      // A refusal still goes out; the controller drops what it holds when it is told to disconnect.
      void until(() => !connection.open || radio?.outstanding() === 0, FLUSH_WITHIN_MS).then(() => {
        if (connection.open) radio?.disconnect();
      });
    },
  });

  const characteristics = (owner: BlenoRadio, info: () => Uint8Array) => {
    let value = Buffer.alloc(0);
    const read = (offset: number, answer: (result: number, data?: Buffer) => void) => {
      // One value for all parts of a long read.
      if (offset === 0) value = Buffer.from(info());
      if (offset > value.length) answer(INVALID_OFFSET);
      else answer(SUCCESS, value.subarray(offset));
    };
    const write = (
      data: Buffer,
      offset: number,
      _withoutResponse: boolean,
      answer: (result: number) => void,
    ) => {
      if (offset !== 0) return answer(INVALID_OFFSET);
      if (data.length > MAX_ATTRIBUTE_BYTES) return answer(INVALID_LENGTH);
      answer(SUCCESS);
      if (!closed) current?.onWrite(data);
    };
    const subscribe = (_maxBytes: number, notify: (chunk: Buffer) => void) => {
      if (current !== undefined) current.notify = notify;
    };
    const unsubscribe = () => {
      if (current !== undefined) current.notify = undefined;
    };
    const { Characteristic } = owner.library;
    const uuid = (dashed: string) => dashed.replaceAll('-', '');
    return [
      new Characteristic({
        uuid: uuid(INFO_CHARACTERISTIC_UUID),
        properties: ['read'],
        onReadRequest: owner.callback(read),
      }),
      new Characteristic({
        uuid: uuid(REQUEST_CHARACTERISTIC_UUID),
        properties: ['write', 'writeWithoutResponse'],
        onWriteRequest: owner.callback(write),
      }),
      new Characteristic({
        uuid: uuid(RESPONSE_CHARACTERISTIC_UUID),
        properties: ['notify'],
        onSubscribe: owner.callback(subscribe),
        onUnsubscribe: owner.callback(unsubscribe),
      }),
    ];
  };

  return {
    async open({ info, connected, failed }) {
      const adapter = ports.prepare();
      fail = (error) => {
        if (!closed) failed(error);
      };
      const loaded = await ports.load({ ...adapter, name });
      radio = await startBlenoRadio({
        loaded,
        adapter,
        clock,
        events: {
          connected() {
            if (closed) return;
            current = {
              mtuPayload: MIN_MTU_PAYLOAD,
              notify: undefined,
              onWrite: () => {},
              onDisconnect: () => {},
              open: true,
            };
            connected(portOf(current));
          },
          disconnected() {
            const ended = current;
            current = undefined;
            if (ended === undefined) return;
            ended.open = false;
            if (!closed) ended.onDisconnect();
            advertise();
          },
          mtu(bytes) {
            if (current !== undefined)
              current.mtuPayload = Math.max(bytes - ATT_HEADER_BYTES, MIN_MTU_PAYLOAD);
          },
          failed: (error) => fail(error),
        },
      });
      const service = {
        uuid: SERVICE_UUID.replaceAll('-', ''),
        characteristics: characteristics(radio, info),
      };
      radio.library.setServices([new radio.library.PrimaryService(service)]);
      // The libraries do not notice an adapter that is unplugged.
      const check = () => {
        if (ports.present(adapter)) cancelCheck = clock.after(ADAPTER_CHECK_MS, check);
        else fail(new RadioError('ADAPTER_LOST', `The Bluetooth adapter hci${adapter.index} was unplugged.`));
      };
      check();
      advertise();
    },
    setAdvertising(on) {
      if (wanted === on) return;
      wanted = on;
      advertise();
    },
    async close() {
      wanted = false;
      const ending = current;
      closed = true;
      cancelCheck();
      if (ending !== undefined) {
        await until(() => !ending.open || radio?.outstanding() === 0, FLUSH_WITHIN_MS);
        if (ending.open) radio?.disconnect();
        await until(() => !ending.open, FLUSH_WITHIN_MS);
      }
      radio?.stop();
    },
  };
}
