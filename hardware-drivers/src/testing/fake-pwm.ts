import { DriverError } from '../errors.ts';
import { GpioError } from '../gpio/gpio-line.ts';
import type { PwmChip } from '../hardware.ts';

/** Generators in memory, on BCM 12, 13, 18 and 19. */
export interface FakePwm extends PwmChip {
  /** Share of the period that a line is high now. */
  shareOf(bcm: number): number;
  periodNs(bcm: number): number;
  /** What a guard's write does: off, or on again with what was set. */
  enable(bcm: number, on: boolean): void;
  /** Makes a line stay as it is, whatever is written. */
  stick(bcm: number): void;
  openLines(): readonly number[];
}

export function createFakePwm(): FakePwm {
  const lines = new Map<number, { share: number; on: boolean; periodNs: number }>();
  const open = new Set<number>();
  const stuck = new Set<number>();
  const stateOf = (bcm: number) => {
    if (![12, 13, 18, 19].includes(bcm))
      throw new DriverError('HARDWARE_MISSING', `BCM ${bcm} has no pulse generator`);
    const state = lines.get(bcm) ?? { share: 0, on: false, periodNs: 0 };
    lines.set(bcm, state);
    return state;
  };
  const shareOf = (bcm: number) => {
    const { share, on } = stateOf(bcm);
    return on ? share : 0;
  };
  const set = (bcm: number, share: number) => {
    if (!stuck.has(bcm)) Object.assign(stateOf(bcm), { share, on: share > 0 });
  };
  return {
    shareOf,
    periodNs: (bcm) => stateOf(bcm).periodNs,
    enable: (bcm, on) => {
      const state = stateOf(bcm);
      if (!stuck.has(bcm)) Object.assign(state, { on, share: on && state.share === 0 ? 1 : state.share });
    },
    stick: (bcm) => stuck.add(bcm),
    openLines: () => [...open],
    open: async (bcm, { frequencyHz }) => {
      stateOf(bcm);
      if (open.has(bcm)) throw new GpioError('PIN_BUSY', `BCM ${bcm} is open already`, { bcm });
      open.add(bcm);
      set(bcm, 0);
      stateOf(bcm).periodNs = Math.round(1e9 / frequencyHz);
      let closed = false;
      const assertOpen = () => {
        if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
      };
      const close = async () => {
        if (closed) return;
        closed = true;
        open.delete(bcm);
        set(bcm, 0);
      };
      return {
        bcm,
        setShare: async (share) => {
          assertOpen();
          set(bcm, Math.min(1, Math.max(0, share)));
        },
        share: async () => {
          assertOpen();
          return shareOf(bcm);
        },
        close,
        [Symbol.asyncDispose]: close,
      };
    },
    safeOutput: (bcm) => {
      stateOf(bcm);
      return { bcm, path: `/fake/pwm${bcm}/enable`, safeValue: '0' };
    },
  };
}
