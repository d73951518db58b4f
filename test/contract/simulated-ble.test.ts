import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createSimulatedBlePeripheral } from '../../agent/src/adapters/simulated-ble-peripheral.ts';
import { connectSimulatedBle } from '../../cloud/src/adapters/simulated-ble-central.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ares-ble-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['as usual', 'pi'],
  ['deeper than the path of a socket may be', join('x'.repeat(100), 'y'.repeat(100))],
])('phone and device find each other in a folder %s', async (_name, below) => {
  const socketPath = join(folder, below, 'ble.sock');
  await expect(connectSimulatedBle(socketPath)).rejects.toMatchObject({ code: 'LINK_LOST' });
  mkdirSync(join(socketPath, '..'), { recursive: true });
  const peripheral = createSimulatedBlePeripheral({ socketPath });
  const info = new Uint8Array([1, 2, 3]);
  await peripheral.open({ info: () => info, connected: () => {}, failed: () => {} });
  peripheral.setAdvertising(true);
  const link = await connectSimulatedBle(socketPath);
  expect(Buffer.from(await link.readInfo())).toEqual(Buffer.from(info));
  await link.disconnect();
  await peripheral.close();
});

it('BLE-03 a program that connects and says nothing keeps no phone out', async () => {
  const socketPath = join(folder, 'ble.sock');
  const peripheral = createSimulatedBlePeripheral({ socketPath, connectWithinMs: 20 });
  await peripheral.open({ info: () => new Uint8Array(), connected: () => {}, failed: () => {} });
  peripheral.setAdvertising(true);
  const silent = connect(socketPath);
  silent.resume();
  await once(silent, 'close');
  const link = await connectSimulatedBle(socketPath);
  await link.disconnect();
  await peripheral.close();
});
