import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RadioError } from './library.ts';

const OP_CHANGE_ALL = 3;
const TYPE_BLUETOOTH = 2;

/**
 * Switches Bluetooth on where software has blocked it, as a fresh Raspberry Pi OS does without a screen.
 * @throws {RadioError} BLOCKED when a switch does, or when this program may not
 */
export function unblockBluetooth(paths = { switches: '/sys/class/rfkill', control: '/dev/rfkill' }): void {
  const switches = bluetoothSwitches(paths.switches);
  if (switches.length > 0 && switches.every(({ hard }) => hard))
    throw new RadioError(
      'BLOCKED',
      'Bluetooth is switched off by a hardware switch or the firmware; only that can switch it on.',
    );
  if (!switches.some(({ soft }) => soft)) return;
  try {
    // struct rfkill_event: index (4 bytes, unused here), type, operation, soft (0: unblock), hard.
    writeFileSync(paths.control, Buffer.from([0, 0, 0, 0, TYPE_BLUETOOTH, OP_CHANGE_ALL, 0, 0]), {
      flag: 'r+',
    });
  } catch (cause) {
    throw new RadioError(
      'BLOCKED',
      'Bluetooth is blocked by rfkill and this program may not unblock it. Run: sudo rfkill unblock bluetooth',
      { cause },
    );
  }
}

function bluetoothSwitches(folder: string): { soft: boolean; hard: boolean }[] {
  const is = (name: string, attribute: string) => read(join(folder, name, attribute)) === '1';
  return names(folder)
    .filter((name) => read(join(folder, name, 'type')) === 'bluetooth')
    .map((name) => ({ soft: is(name, 'soft'), hard: is(name, 'hard') }));
}

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
