import { existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  assertHeaderBcm,
  type GpioChip,
  GpioError,
  type InputLine,
  type LineLevel,
  levelOf,
  type OutputLine,
} from './gpio-line.ts';

/** File that holds a line's level on a simulated board: `<board>/gpio/gpio<BCM>/value`, laid out like sysfs. */
export function valuePath(boardDir: string, bcm: number): string {
  return join(boardDir, 'gpio', `gpio${bcm}`, 'value');
}

/**
 * The lines of a simulated board. A level is a file, so whoever writes it drives the line, a shell guard as well as
 * this process, and it keeps its level when the writer dies, as on a Pi.
 *
 * @throws {GpioError} GPIO_UNAVAILABLE from the first open when no board runs on the folder
 */
export function createSimulatedGpio(boardDir: string): GpioChip {
  const open = new Set<number>();

  const claim = (bcm: number): string => {
    assertHeaderBcm(bcm);
    const path = valuePath(boardDir, bcm);
    if (!existsSync(path))
      throw new GpioError(
        'GPIO_UNAVAILABLE',
        `there is no board at ${boardDir}: start the board process first`,
        { bcm },
      );
    if (open.has(bcm))
      throw new GpioError('PIN_BUSY', `BCM ${bcm} is open already; close the other user first`, { bcm });
    open.add(bcm);
    return path;
  };
  const setDirection = (bcm: number, direction: 'in' | 'out') =>
    writeFileSync(join(boardDir, 'gpio', `gpio${bcm}`, 'direction'), direction);

  return {
    openOutput: async (bcm, { activeLow = false, initial = false } = {}) => {
      const path = claim(bcm);
      try {
        // Level before direction: the line never drives the wrong level, not for an instant.
        writeLevel(bcm, path, levelOf(initial, activeLow));
        setDirection(bcm, 'out');
      } catch (error) {
        open.delete(bcm);
        throw error;
      }
      return outputLine(bcm, path, activeLow, () => open.delete(bcm));
    },
    openInput: async (bcm, { activeLow = false } = {}) => {
      const path = claim(bcm);
      setDirection(bcm, 'in');
      return inputLine(bcm, path, activeLow, () => open.delete(bcm));
    },
    safeOutput: (bcm, { activeLow = false, on = false } = {}) => {
      assertHeaderBcm(bcm);
      return { bcm, path: valuePath(boardDir, bcm), safeValue: levelOf(on, activeLow) };
    },
  };
}

function outputLine(bcm: number, path: string, activeLow: boolean, release: () => void): OutputLine {
  let closed = false;
  const assertOpen = () => {
    if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
  };
  const close = async () => {
    if (closed) return;
    closed = true;
    release();
    writeLevel(bcm, path, levelOf(false, activeLow));
  };
  return {
    bcm,
    guardPath: path,
    guardSafeValue: levelOf(false, activeLow),
    write: async (on) => {
      assertOpen();
      writeLevel(bcm, path, levelOf(on, activeLow));
    },
    read: async () => {
      assertOpen();
      return readLevel(bcm, path) === levelOf(true, activeLow);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function inputLine(bcm: number, path: string, activeLow: boolean, release: () => void): InputLine {
  let closed = false;
  const watchers = new Set<() => void>();
  const isOn = () => readLevel(bcm, path) === levelOf(true, activeLow);
  const close = async () => {
    if (closed) return;
    closed = true;
    for (const end of watchers) end();
    release();
  };
  return {
    bcm,
    read: async () => {
      if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
      return isOn();
    },
    watch: (onChange) => {
      if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
      let last = isOn();
      const watcher = watch(path, () => {
        const now = isOn();
        if (now !== last) {
          last = now;
          onChange(now);
        }
      });
      const end = () => {
        watchers.delete(end);
        watcher.close();
      };
      watchers.add(end);
      return end;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Overwrites the one byte in place: a truncating write would show other readers an empty file for a moment. */
function writeLevel(bcm: number, path: string, level: LineLevel): void {
  try {
    writeFileSync(path, level, { flag: 'r+' });
  } catch (cause) {
    throw new GpioError('IO_FAILED', `BCM ${bcm}: cannot write ${path}`, { bcm, cause });
  }
}

/** A shell's `echo 0 >` truncates first; the level is then the one that is about to be written, so look again. */
function readLevel(bcm: number, path: string): LineLevel {
  try {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const level = readFileSync(path, 'latin1')[0];
      if (level === '0' || level === '1') return level;
    }
  } catch (cause) {
    throw new GpioError('IO_FAILED', `BCM ${bcm}: cannot read ${path}`, { bcm, cause });
  }
  throw new GpioError('IO_FAILED', `BCM ${bcm}: ${path} holds no level`, { bcm });
}
