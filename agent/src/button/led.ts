import type { Clock } from '../ports/clock.ts';

/** What the LED beside the button says, the first that applies: something was accepted, a hold counts, Bluetooth is open. */
export interface LedSays {
  readonly holding: boolean;
  readonly bluetoothOpen: boolean;
}

/** Half of a period: slow blinking for Bluetooth, fast while a hold counts. */
const SLOW_MS = 1_000;
const FAST_MS = 150;
/** How often it is looked whether something changed that nobody tells. */
const IDLE_MS = 500;

/**
 * Drives the LED. It never waits for a write that is slow, and an LED that cannot be written is no reason to stop.
 *
 * @param options.write lights it or not; rejects when it cannot
 */
export function createLed(options: {
  readonly clock: Clock;
  readonly says: () => LedSays;
  readonly write: (on: boolean) => Promise<void>;
}): {
  /** Lit for so long: the device has understood. */
  accept(durationMs: number): void;
  /** Looks again at once. */
  refresh(): void;
  close(): void;
} {
  const { clock, says, write } = options;
  let acceptedUntilMs = 0;
  let lit = false;
  let written: boolean | undefined = false;
  let writing = false;
  let closed = false;
  let cancel: () => void = () => undefined;

  const show = () => {
    if (writing || written === lit || closed) return;
    const now = lit;
    writing = true;
    void write(now)
      .then(
        () => now,
        () => undefined,
      )
      .then((done) => {
        writing = false;
        written = done;
        // What was asked for meanwhile; one that failed waits for the next step.
        if (done !== undefined) show();
      });
  };
  const step = () => {
    cancel();
    const leftMs = acceptedUntilMs - clock.monotonicMs();
    const { holding, bluetoothOpen } = says();
    const blinkMs = holding ? FAST_MS : bluetoothOpen ? SLOW_MS : undefined;
    if (leftMs > 0) lit = true;
    else lit = blinkMs !== undefined && !lit;
    cancel = clock.after(leftMs > 0 ? leftMs : (blinkMs ?? IDLE_MS), step);
    show();
  };
  step();
  return {
    accept: (durationMs) => {
      acceptedUntilMs = clock.monotonicMs() + durationMs;
      step();
    },
    refresh: step,
    close: () => {
      closed = true;
      cancel();
    },
  };
}
