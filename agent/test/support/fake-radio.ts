import { randomBytes } from 'node:crypto';
import { type BleLink, connectDevice, type DeviceConnection } from '@ares/protocol/ble';
import type { BlePeripheral, PeripheralConnection } from '../../src/ports/ble-peripheral.ts';

/** A radio in this process: phones connect while it advertises. */
export interface FakeRadio {
  readonly peripheral: BlePeripheral;
  readonly advertising: boolean;
  /** A link to the device. @throws when it is not to be found */
  link(mtuPayload?: number): BleLink & { readonly open: boolean; readonly received: Uint8Array[] };
  pair(setupCode: Uint8Array): Promise<DeviceConnection>;
}

export function createFakeRadio(): FakeRadio {
  let advertising = false;
  let handlers: Parameters<BlePeripheral['open']>[0] | undefined;
  const radio: FakeRadio = {
    peripheral: {
      open: async (given) => {
        handlers = given;
      },
      setAdvertising: (on) => {
        advertising = on;
      },
      close: async () => {
        advertising = false;
      },
    },
    get advertising() {
      return advertising;
    },
    link(mtuPayload = 100) {
      if (!advertising || handlers === undefined) throw new Error('the device is not to be found');
      const received: Uint8Array[] = [];
      let onNotify: (chunk: Uint8Array) => void = (chunk) => received.push(chunk);
      let onDisconnect = () => {};
      let onWrite: (chunk: Uint8Array) => void = () => {};
      let onGone = () => {};
      let open = true;
      const end = () => {
        if (!open) return;
        open = false;
        onGone();
        onDisconnect();
      };
      const connection: PeripheralConnection = {
        mtuPayload,
        onWrite: (listener) => {
          onWrite = listener;
        },
        onDisconnect: (listener) => {
          onGone = listener;
        },
        notify: async (chunk) => {
          if (open) onNotify(chunk);
        },
        disconnect: end,
      };
      handlers.connected(connection);
      const { info } = handlers;
      return {
        mtuPayload,
        received,
        get open() {
          return open;
        },
        readInfo: async () => info(),
        write: async (chunk) => {
          if (open) onWrite(chunk);
        },
        onNotify: (listener) => {
          onNotify = listener;
        },
        onDisconnect: (listener) => {
          onDisconnect = listener;
        },
        disconnect: end,
      };
    },
    pair: (setupCode) =>
      connectDevice({ link: radio.link(), setupCode, random: (count) => randomBytes(count) }),
  };
  return radio;
}
