import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { cpuSerialSchema, parseWith } from '@ares/protocol';
import { readFileIfThere, writeDurableFile } from '../store/durable-file.ts';
import { IdentityError } from './errors.ts';

/** Where a board says what it is. */
export interface BoardFiles {
  /** Folder of the device tree, `/sys/firmware/devicetree/base`. */
  readonly deviceTree: string;
  readonly cpuInfo: string;
  /** Folder of a simulated board, or undefined on a real one. */
  readonly simulated: string | undefined;
}

export const linuxBoardFiles: Omit<BoardFiles, 'simulated'> = {
  deviceTree: '/sys/firmware/devicetree/base',
  cpuInfo: '/proc/cpuinfo',
};

/**
 * Serial number of the processor, lower-case hex. The device tree is the same on every distribution;
 * `/proc/cpuinfo` has it only on some.
 *
 * @throws {IdentityError} SERIAL_UNREADABLE
 */
export function readCpuSerial(board: BoardFiles): string {
  const found =
    board.simulated === undefined
      ? (clean(readFileIfThere(join(board.deviceTree, 'serial-number'))) ??
        clean(/^Serial\s*:\s*(\S+)/m.exec(readFileIfThere(board.cpuInfo) ?? '')?.[1]))
      : clean(readFileIfThere(join(board.simulated, 'serial')));
  if (found === undefined) {
    throw new IdentityError(
      'SERIAL_UNREADABLE',
      board.simulated === undefined
        ? 'This computer does not show a processor serial number. On a Raspberry Pi it is in the device tree; elsewhere use --simulate-board DIR.'
        : `The simulated board has no readable file "serial" in ${board.simulated}. Run factory-init with the same --simulate-board.`,
    );
  }
  return found;
}

/** Gives a simulated board a serial number unless it has one. */
export function ensureSimulatedSerial(folder: string): void {
  const path = join(folder, 'serial');
  if (clean(readFileIfThere(path)) === undefined) writeDurableFile(path, randomBytes(8).toString('hex'));
}

/** `pi-5` from the device tree's model, `sim-1` for a simulated board, `unknown` otherwise. */
export function readHardwareVersion(board: BoardFiles): string {
  if (board.simulated !== undefined) return 'sim-1';
  const model = readFileIfThere(join(board.deviceTree, 'model')) ?? '';
  const pi = /Raspberry Pi (?:(Zero)(?: (\d))?|(?:Compute Module )?(\d+))/.exec(model);
  if (!pi) return 'unknown';
  return pi[1] === undefined ? `pi-${pi[3]}` : `pi-zero${pi[2] === undefined ? '' : `-${pi[2]}`}`;
}

// The device tree ends its strings with NUL.
function clean(text: string | undefined): string | undefined {
  const serial = text?.replaceAll('\0', '').trim().toLowerCase() ?? '';
  return parseWith(cpuSerialSchema, serial).ok ? serial : undefined;
}
