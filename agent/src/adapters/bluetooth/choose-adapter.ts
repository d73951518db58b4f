import { readdirSync } from 'node:fs';
import { RadioError } from './library.ts';

/** Where the kernel lists adapters (`hci0`) and their connections (`hci0:64`). */
const SYSFS_BLUETOOTH = '/sys/class/bluetooth';

/** An adapter, and how it is taken. */
export interface ChosenAdapter {
  /** The number in `hci0`. */
  readonly index: number;
  /**
   * `user`: for this program alone, which the kernel then keeps every daemon from. `raw`: shared with whoever else
   * uses it. A daemon answers phones on a shared adapter too, so that pairing often fails.
   */
  readonly channel: 'user' | 'raw';
}

/**
 * The first adapter by which nothing is connected, for this program alone: whether a daemon runs does not matter,
 * because nobody loses a connection. Only where each adapter has a keyboard or a speaker is the first one shared.
 *
 * @param wanted the owner's setting, which wins over that rule
 * @throws {RadioError} NO_ADAPTER
 */
export function chooseAdapter(
  wanted: 'auto' | 'user' | 'raw',
  sysfs: string = SYSFS_BLUETOOTH,
): ChosenAdapter {
  const { adapters, connected } = listAdapters(sysfs);
  const [first] = adapters;
  if (first === undefined)
    throw new RadioError(
      'NO_ADAPTER',
      'This computer has no Bluetooth adapter. Is Bluetooth switched off in /boot/firmware/config.txt (dtoverlay=disable-bt)?',
    );
  const free = adapters.find((index) => !connected.has(index));
  if (wanted !== 'auto') return { index: free ?? first, channel: wanted };
  return free === undefined ? { index: first, channel: 'raw' } : { index: free, channel: 'user' };
}

/** Whether the adapter is still plugged in. */
export function hasAdapter(index: number, sysfs: string = SYSFS_BLUETOOTH): boolean {
  return listAdapters(sysfs).adapters.includes(index);
}

function listAdapters(sysfs: string): { adapters: number[]; connected: Set<number> } {
  const adapters: number[] = [];
  const connected = new Set<number>();
  for (const name of namesIn(sysfs)) {
    const [, index, connection] = /^hci(\d+)(:\d+)?$/.exec(name) ?? [];
    if (index === undefined) continue;
    if (connection === undefined) adapters.push(Number(index));
    else connected.add(Number(index));
  }
  return { adapters: adapters.sort((a, b) => a - b), connected };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
