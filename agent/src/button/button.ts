import type { Clock } from '../ports/clock.ts';

/** Contacts bounce for a few ms; nobody presses for less than this. */
const DEBOUNCE_MS = 30;
/** A press that is over before this is a short one. */
const SHORT_BELOW_MS = 2_000;
/** From the press on. */
const HOLD_MS = 10_000;

/** What a finger does, as far as the device cares. */
export type ButtonEvent =
  /** Pressed and released: Bluetooth is asked for. */
  | 'short'
  /** Still pressed after two seconds: the time to the reset runs, and letting go ends it without any effect. */
  | 'hold-begun'
  /** Let go before ten seconds. */
  | 'hold-ended'
  /** Ten seconds: the reset is asked for, once, whenever it is let go. */
  | 'held';

/**
 * Makes presses out of the raw changes of a contact. A button that is pressed from the beginning, stuck or wired the
 * wrong way round, does nothing until it was released once.
 */
export function createButton(options: {
  readonly clock: Clock;
  /** Whether it is pressed now. */
  readonly pressed: boolean;
  readonly onEvent: (event: ButtonEvent) => void;
}): {
  /** The contact changed. */
  contact(pressed: boolean): void;
  close(): void;
} {
  const { clock, onEvent } = options;
  let pressed = options.pressed;
  /** `ignored`: pressed from the beginning, or held already: nothing but its release counts. */
  let phase: 'released' | 'pressed' | 'holding' | 'ignored' = pressed ? 'ignored' : 'released';
  let cancelDebounce: () => void = () => undefined;
  let cancelHold: () => void = () => undefined;

  const press = () => {
    phase = 'pressed';
    cancelHold = clock.after(SHORT_BELOW_MS - DEBOUNCE_MS, () => {
      phase = 'holding';
      cancelHold = clock.after(HOLD_MS - SHORT_BELOW_MS, () => {
        phase = 'ignored';
        onEvent('held');
      });
      onEvent('hold-begun');
    });
  };
  const release = () => {
    const before = phase;
    phase = 'released';
    cancelHold();
    if (before === 'pressed') onEvent('short');
    if (before === 'holding') onEvent('hold-ended');
  };
  return {
    contact: (now) => {
      cancelDebounce();
      cancelDebounce = clock.after(DEBOUNCE_MS, () => {
        if (now === pressed) return;
        pressed = now;
        if (now) press();
        else release();
      });
    },
    close: () => {
      cancelDebounce();
      cancelHold();
    },
  };
}
