import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GpioError } from '../gpio/gpio-line.ts';
import type { PwmLine } from '../hardware.ts';

/**
 * One channel as a folder of sysfs: `period` and `duty_cycle` in ns, `enable`.
 *
 * Switched off it is low, and off comes first and last: the guard writes nothing but `0` to `enable`.
 *
 * @throws {GpioError} IO_FAILED
 */
export function openPwmFolder(options: {
  readonly bcm: number;
  readonly folder: string;
  readonly frequencyHz: number;
  readonly release: () => void;
}): PwmLine {
  const { bcm, folder, release } = options;
  const periodNs = Math.round(1e9 / options.frequencyHz);
  const put = (name: string, value: number) => write(bcm, join(folder, name), value);
  const get = (name: string) => read(bcm, join(folder, name));
  let closed = false;
  const assertOpen = () => {
    if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
  };
  const off = () => {
    put('enable', 0);
    // No pulse is left over for whoever enables it next; before there is a period the kernel refuses even 0.
    if (get('duty_cycle') > 0) put('duty_cycle', 0);
  };
  off();
  put('period', periodNs);

  const close = async () => {
    if (closed) return;
    closed = true;
    release();
    off();
  };
  return {
    bcm,
    setShare: async (share) => {
      assertOpen();
      if (share <= 0) return off();
      put('duty_cycle', Math.round(periodNs * Math.min(1, share)));
      put('enable', 1);
    },
    share: async () => {
      assertOpen();
      return get('enable') === 1 ? get('duty_cycle') / get('period') : 0;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Whether the folder can be used: exported, and handed over by udev, which takes a moment. */
export function isWritable(folder: string): boolean {
  const path = join(folder, 'enable');
  if (!existsSync(path)) return false;
  try {
    writeFileSync(path, '0', { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

/** In place: a truncating write would show a reader of a simulated board an empty file for a moment. */
function write(bcm: number, path: string, value: number): void {
  try {
    writeFileSync(path, `${value}\n`, { flag: 'r+' });
  } catch (cause) {
    throw new GpioError('IO_FAILED', `BCM ${bcm}: cannot write ${value} to ${path}`, { bcm, cause });
  }
}

function read(bcm: number, path: string): number {
  try {
    const value = Number.parseInt(readFileSync(path, 'latin1'), 10);
    if (Number.isFinite(value)) return value;
  } catch (cause) {
    throw new GpioError('IO_FAILED', `BCM ${bcm}: cannot read ${path}`, { bcm, cause });
  }
  throw new GpioError('IO_FAILED', `BCM ${bcm}: ${path} holds no number`, { bcm });
}
