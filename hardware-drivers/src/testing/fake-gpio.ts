import {
  assertHeaderBcm,
  type GpioChip,
  GpioError,
  type InputLine,
  type LineLevel,
  levelOf,
  type OutputLine,
} from '../gpio/gpio-line.ts';

/** Lines in memory, and the far end of each wire. */
export interface FakeGpio extends GpioChip {
  /** Physical level; '0' for a line that nobody ever drove. */
  level(bcm: number): LineLevel;
  /** Drives a line from outside. */
  drive(bcm: number, level: LineLevel): void;
  /** Makes a line keep its level whatever is written, as a short would. */
  stick(bcm: number): void;
  /** Lines that are open now. */
  openLines(): readonly number[];
}

export function createFakeGpio(): FakeGpio {
  const levels = new Map<number, LineLevel>();
  const stuck = new Set<number>();
  const open = new Set<number>();
  const watchers = new Map<number, Set<(level: LineLevel) => void>>();
  const level = (bcm: number): LineLevel => levels.get(bcm) ?? '0';
  const set = (bcm: number, next: LineLevel) => {
    if (stuck.has(bcm) || next === level(bcm)) return;
    levels.set(bcm, next);
    for (const watcher of watchers.get(bcm) ?? []) watcher(next);
  };
  const claim = (bcm: number) => {
    assertHeaderBcm(bcm);
    if (open.has(bcm))
      throw new GpioError('PIN_BUSY', `BCM ${bcm} is open already; close the other user first`, { bcm });
    open.add(bcm);
    let closed = false;
    return {
      assertOpen: () => {
        if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
      },
      release: (): boolean => {
        if (closed) return false;
        closed = true;
        return open.delete(bcm);
      },
    };
  };

  return {
    level,
    drive: set,
    stick: (bcm) => stuck.add(bcm),
    openLines: () => [...open],
    openOutput: async (bcm, { activeLow = false, initial = false } = {}): Promise<OutputLine> => {
      const { assertOpen, release } = claim(bcm);
      set(bcm, levelOf(initial, activeLow));
      const close = async () => {
        if (release()) set(bcm, levelOf(false, activeLow));
      };
      return {
        bcm,
        guardPath: `/fake/gpio${bcm}/value`,
        guardSafeValue: levelOf(false, activeLow),
        write: async (on) => {
          assertOpen();
          set(bcm, levelOf(on, activeLow));
        },
        read: async () => {
          assertOpen();
          return level(bcm) === levelOf(true, activeLow);
        },
        close,
        [Symbol.asyncDispose]: close,
      };
    },
    openInput: async (bcm, { activeLow = false } = {}): Promise<InputLine> => {
      const { assertOpen, release } = claim(bcm);
      const own = new Set<(level: LineLevel) => void>();
      const forget = (watcher: (level: LineLevel) => void) => {
        own.delete(watcher);
        watchers.get(bcm)?.delete(watcher);
      };
      const close = async () => {
        if (release()) for (const watcher of own) forget(watcher);
      };
      return {
        bcm,
        read: async () => {
          assertOpen();
          return level(bcm) === levelOf(true, activeLow);
        },
        watch: (onChange) => {
          assertOpen();
          const watcher = (now: LineLevel) => onChange(now === levelOf(true, activeLow));
          own.add(watcher);
          const all = watchers.get(bcm) ?? new Set();
          watchers.set(bcm, all.add(watcher));
          return () => forget(watcher);
        },
        close,
        [Symbol.asyncDispose]: close,
      };
    },
    safeOutput: (bcm, { activeLow = false, on = false } = {}) => {
      assertHeaderBcm(bcm);
      return { bcm, path: `/fake/gpio${bcm}/value`, safeValue: levelOf(on, activeLow) };
    },
  };
}
