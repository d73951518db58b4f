import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { BleError, type BleLink, type WifiSettings } from '@ares/protocol/ble';
import type { Client } from '@ares/protocol/http';
import { connectSimulatedBle } from '../adapters/simulated-ble-central.ts';
import { type PairingEvent, pairDevice } from './pair.ts';

const RETRY_MS = 100;

/** What is wired to a virtual Pi. */
export const greenhouse = [
  { componentType: 'cpu' },
  { componentType: 'dht22', pins: { data: 4 } },
  { componentType: 'soil-moisture', config: { channel: 0 } },
  { componentType: 'led', pins: { line: 27 } },
  { componentType: 'pump', pins: { line: 17 } },
] as const;

/** The network of every virtual Pi. */
export const greenhouseWifi: WifiSettings = { ssid: 'greenhouse', password: 'tomatoes and basil' };

/** Connects as soon as the device advertises. @throws {BleError} LINK_LOST after `milliseconds` */
export async function connectWithin(socket: string, milliseconds: number): Promise<BleLink> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    try {
      return await connectSimulatedBle(socket);
    } catch (error) {
      if (!(error instanceof BleError) || Date.now() > deadline) throw error;
      await wait(RETRY_MS);
    }
  }
}

/** Pairs over a simulated radio and attaches what is missing of `components` once the device is owned. */
export async function pairVirtualPi(options: {
  readonly link: BleLink;
  /** As typed, or its 16 bytes. */
  readonly setupCode: string | Uint8Array;
  /** From the QR code: refuses another device. */
  readonly expectedUuid?: string;
  readonly client: Client;
  readonly wifi: WifiSettings | undefined;
  readonly components: readonly {
    componentType: string;
    pins?: Record<string, number>;
    config?: Record<string, unknown>;
  }[];
  readonly onEvent: (event: PairingEvent) => void;
}): Promise<string> {
  const { client, components } = options;
  const identity = await pairDevice({
    ...options,
    random: (length) => randomBytes(length),
    now: Date.now,
    wait: (milliseconds) => wait(milliseconds),
    onOwned: async ({ deviceUuid }) => {
      const params = { id: deviceUuid };
      const { items } = await client.listComponents({ params });
      for (const component of components) {
        if (items.some(({ componentType }) => componentType === component.componentType)) continue;
        await client.attachComponent({ params, body: component });
      }
    },
  });
  return identity.deviceUuid;
}
