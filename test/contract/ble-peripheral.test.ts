import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBlenoPeripheral } from '../../agent/src/adapters/bleno-peripheral.ts';
import { createSimulatedBlePeripheral } from '../../agent/src/adapters/simulated-ble-peripheral.ts';
import { createSystemClock } from '../../agent/src/adapters/system-clock.ts';
import { createStandInBleno } from '../../agent/test/support/stand-in-bleno.ts';
import { connectSimulatedBle } from '../../cloud/src/adapters/simulated-ble-central.ts';
import { describeBlePeripheral } from './ble-peripheral-suite.ts';

describeBlePeripheral('the simulated radio', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ares-ble-'));
  const socketPath = join(folder, 'ble.sock');
  return {
    peripheral: createSimulatedBlePeripheral({ socketPath }),
    connect: () => connectSimulatedBle(socketPath),
    end: () => rmSync(folder, { recursive: true, force: true }),
  };
});

for (const [library, passesHandles] of [
  ['@stoprocent/bleno', true],
  ['@abandonware/bleno', false],
] as const) {
  describeBlePeripheral(`a Bluetooth adapter by ${library}`, () => {
    const bleno = createStandInBleno(passesHandles);
    return {
      peripheral: createBlenoPeripheral({
        load: async () => bleno.loaded,
        name: 'Ares 5A4B',
        clock: createSystemClock(),
        prepare: () => ({ index: 0, channel: 'user' }),
        present: () => true,
      }),
      connect: async () => bleno.connect(),
      end: () => {},
    };
  });
}
