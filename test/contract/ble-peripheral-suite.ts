import type { BleLink } from '@ares/protocol/ble';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BlePeripheral, PeripheralConnection } from '../../agent/src/ports/ble-peripheral.ts';

/** A radio under test and the phones in its reach. */
export interface PeripheralWorld {
  readonly peripheral: BlePeripheral;
  /** A phone that has subscribed. @throws {BleError} LINK_LOST when it finds nothing */
  connect(): Promise<BleLink>;
  /** Cleans up what is not the peripheral's. */
  end(): void;
}

const bytes = (...values: number[]) => new Uint8Array(values);

/** What holds for every radio that the GATT service may run on. */
export function describeBlePeripheral(name: string, make: () => PeripheralWorld): void {
  describe(name, () => {
    let world: PeripheralWorld;
    let connections: PeripheralConnection[];
    let info: Uint8Array;
    let ended: number;

    beforeEach(async () => {
      world = make();
      connections = [];
      info = bytes(1, 2, 3);
      ended = 0;
      const own = connections;
      await world.peripheral.open({
        info: () => info,
        connected(connection) {
          own.push(connection);
          connection.onDisconnect(() => {
            if (own === connections) ended += 1;
          });
        },
        failed: (error) => expect.fail(error.message),
      });
    });
    afterEach(async () => {
      await world.peripheral.close();
      world.end();
    });

    const refused = () => expect(world.connect()).rejects.toMatchObject({ code: 'LINK_LOST' });
    const connected = async () => {
      const phone = await world.connect();
      const connection = connections.at(-1);
      if (connection === undefined) throw new Error('the device knows of no connection');
      return { phone, connection };
    };

    it('is not found before it advertises, and not when it has stopped', async () => {
      await refused();
      world.peripheral.setAdvertising(true);
      world.peripheral.setAdvertising(false);
      await refused();
      expect(connections).toEqual([]);
    });

    it('shows info as it is at the moment of each read', async () => {
      world.peripheral.setAdvertising(true);
      const { phone } = await connected();
      expect(Buffer.from(await phone.readInfo())).toEqual(Buffer.from([1, 2, 3]));
      info = bytes(9);
      expect(Buffer.from(await phone.readInfo())).toEqual(Buffer.from([9]));
    });

    it('carries writes and notifications in their order', async () => {
      world.peripheral.setAdvertising(true);
      const { phone, connection } = await connected();
      const written: number[][] = [];
      const notified: number[][] = [];
      connection.onWrite((chunk) => written.push([...chunk]));
      phone.onNotify((chunk) => notified.push([...chunk]));
      for (let value = 0; value < 5; value += 1) {
        await phone.write(bytes(value, 0));
        await connection.notify(bytes(value));
      }
      await vi.waitFor(() =>
        expect(written).toEqual([
          [0, 0],
          [1, 0],
          [2, 0],
          [3, 0],
          [4, 0],
        ]),
      );
      await vi.waitFor(() => expect(notified).toEqual([[0], [1], [2], [3], [4]]));
      expect(connection.mtuPayload).toBeGreaterThanOrEqual(20);
    });

    it('BLE-03 lets a second phone in only after the first', async () => {
      world.peripheral.setAdvertising(true);
      const { phone } = await connected();
      await refused();
      await phone.disconnect();
      await vi.waitFor(() => expect(ended).toBe(1));
      await vi.waitFor(async () => expect(await world.connect()).toBeDefined());
      expect(connections).toHaveLength(2);
    });

    it('is not found after a connection when advertising was switched off meanwhile', async () => {
      world.peripheral.setAdvertising(true);
      const { phone } = await connected();
      world.peripheral.setAdvertising(false);
      await phone.disconnect();
      await vi.waitFor(() => expect(ended).toBe(1));
      await refused();
    });

    it('ends a connection on demand, and what was said before still arrives', async () => {
      world.peripheral.setAdvertising(true);
      const { phone, connection } = await connected();
      const notified: number[] = [];
      const gone = new Promise<void>((resolve) => phone.onDisconnect(resolve));
      phone.onNotify((chunk) => notified.push(...chunk));
      await connection.notify(bytes(7));
      connection.disconnect('over');
      await gone;
      expect(notified).toEqual([7]);
      await vi.waitFor(() => expect(ended).toBe(1));
      await expect(connection.notify(bytes(8))).rejects.toThrow('gone');
    });

    it('ends the connection that stands when it is closed', async () => {
      world.peripheral.setAdvertising(true);
      const { phone } = await connected();
      const gone = new Promise<void>((resolve) => phone.onDisconnect(resolve));
      await world.peripheral.close();
      await gone;
      await refused();
    });
  });
}
