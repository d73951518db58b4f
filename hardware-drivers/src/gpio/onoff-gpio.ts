import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Gpio } from 'onoff';
import {
  assertHeaderBcm,
  type GpioChip,
  GpioError,
  headerLabels,
  type InputLine,
  levelOf,
  type OutputLine,
} from './gpio-line.ts';

const sysfsRoot = '/sys/class/gpio';

type OnoffModule = { Gpio: typeof Gpio };

/**
 * The header's lines through `onoff` and sysfs. sysfs numbers lines from a base that is never the same (0, 512,
 * 520, 571, 970 were seen), so the chip is found by its label and the base added.
 *
 * `active_low` of sysfs stays off and levels are inverted here, so that `value` is always the physical level and a
 * guard needs to know nothing else.
 *
 * @param options.root the sysfs folder, for tests
 * @param options.load the library, for tests
 * @throws {GpioError} GPIO_UNAVAILABLE (no sysfs, or onoff's addon is not there), CHIP_NOT_FOUND
 */
export async function openOnoffGpio(
  options: { root?: string; load?: () => Promise<OnoffModule> } = {},
): Promise<GpioChip> {
  const root = options.root ?? sysfsRoot;
  if (!existsSync(join(root, 'export')))
    throw new GpioError(
      'GPIO_UNAVAILABLE',
      `${root} is missing: this kernel has no GPIO sysfs, or this is not a Raspberry Pi`,
    );
  const base = findBase(root);
  const { Gpio } = await (options.load ?? loadOnoff)();
  const open = new Set<number>();
  const path = (bcm: number) => join(root, `gpio${base + bcm}`, 'value');

  const claim = (bcm: number, direction: 'in' | 'high' | 'low', edge?: 'both'): Gpio => {
    assertHeaderBcm(bcm);
    if (open.has(bcm))
      throw new GpioError('PIN_BUSY', `BCM ${bcm} is open already; close the other user first`, { bcm });
    try {
      const gpio =
        edge === undefined ? new Gpio(base + bcm, direction) : new Gpio(base + bcm, direction, edge);
      open.add(bcm);
      return gpio;
    } catch (cause) {
      const busy = (cause as NodeJS.ErrnoException).code === 'EBUSY';
      throw new GpioError(
        busy ? 'PIN_BUSY' : 'IO_FAILED',
        busy
          ? `BCM ${bcm} is used by the kernel or another program; gpioinfo names it`
          : `BCM ${bcm} (sysfs ${base + bcm}) cannot be opened; may this user write ${root}?`,
        { bcm, cause },
      );
    }
  };

  return {
    openOutput: async (bcm, { activeLow = false, initial = false } = {}) => {
      // Direction "high" or "low" makes the line an output at that level in one step, without a glitch.
      const gpio = claim(bcm, levelOf(initial, activeLow) === '1' ? 'high' : 'low');
      return outputLine(gpio, bcm, path(bcm), activeLow, () => open.delete(bcm));
    },
    openInput: async (bcm, { activeLow = false } = {}) =>
      inputLine(claim(bcm, 'in', 'both'), bcm, activeLow, () => open.delete(bcm)),
    safeOutput: (bcm, { activeLow = false, on = false } = {}) => {
      assertHeaderBcm(bcm);
      return { bcm, path: path(bcm), safeValue: levelOf(on, activeLow) };
    },
  };
}

async function loadOnoff(): Promise<OnoffModule> {
  try {
    return await import('onoff');
  } catch (cause) {
    throw new GpioError(
      'GPIO_UNAVAILABLE',
      'onoff cannot be loaded: it is an optional dependency whose addon (epoll) is built for the Pi; run npm rebuild epoll',
      { cause },
    );
  }
}

/** Number of the header's first line. @throws {GpioError} CHIP_NOT_FOUND naming the labels that are there */
function findBase(root: string): number {
  const chips = readdirSync(root)
    .filter((name) => name.startsWith('gpiochip'))
    .map((name) => ({
      label: readFileSync(join(root, name, 'label'), 'utf8').trim(),
      base: Number.parseInt(readFileSync(join(root, name, 'base'), 'utf8'), 10),
    }));
  for (const label of headerLabels) {
    const chip = chips.find((candidate) => candidate.label === label);
    if (chip !== undefined && Number.isInteger(chip.base)) return chip.base;
  }
  const seen = chips.map(({ label }) => label).join(', ') || 'none';
  throw new GpioError(
    'CHIP_NOT_FOUND',
    `no GPIO chip of a Raspberry Pi header (${headerLabels.join(', ')}); found: ${seen}`,
  );
}

function outputLine(
  gpio: Gpio,
  bcm: number,
  path: string,
  activeLow: boolean,
  release: () => void,
): OutputLine {
  let closed = false;
  let writing: Promise<void> = Promise.resolve();
  // One after the other: onoff writes on a thread pool, where an "on" under way could overtake the "off" after it.
  const write = (on: boolean) => {
    const written = writing.then(() =>
      io(bcm, () => gpio.write(levelOf(on, activeLow) === '1' ? 1 : 0)).then(() => undefined),
    );
    writing = written.catch(() => undefined);
    return written;
  };
  const assertOpen = () => {
    if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
  };
  const close = async () => {
    if (closed) return;
    closed = true;
    release();
    // Not unexported: the line stays an output at its off level, and the guard's file stays there.
    await write(false);
  };
  return {
    bcm,
    guardPath: path,
    guardSafeValue: levelOf(false, activeLow),
    write: async (on) => {
      assertOpen();
      await write(on);
    },
    read: async () => {
      assertOpen();
      return (await io(bcm, () => gpio.read())) === Number(levelOf(true, activeLow));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function inputLine(gpio: Gpio, bcm: number, activeLow: boolean, release: () => void): InputLine {
  let closed = false;
  const onLevel = Number(levelOf(true, activeLow));
  const close = async () => {
    if (closed) return;
    closed = true;
    gpio.unwatchAll();
    gpio.unexport();
    release();
  };
  const assertOpen = () => {
    if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
  };
  return {
    bcm,
    read: async () => {
      assertOpen();
      return (await io(bcm, () => gpio.read())) === onLevel;
    },
    watch: (onChange) => {
      assertOpen();
      const listener = (error: Error | null | undefined, level: number) => {
        if (error == null) onChange(level === onLevel);
      };
      gpio.watch(listener);
      return () => {
        if (!closed) gpio.unwatch(listener);
      };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function io<T>(bcm: number, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    throw new GpioError('IO_FAILED', `BCM ${bcm}: the kernel refused the access`, { bcm, cause });
  }
}
