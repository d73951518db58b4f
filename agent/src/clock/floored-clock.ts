import type { Clock } from '../ports/clock.ts';
import { readFileIfThere, writeDurableFile } from '../store/durable-file.ts';

/** Time is written down this often at most: cards wear. */
const SAVE_EVERY_MS = 3_600_000;
/** A clock that was put right by so much is not behind. */
const TOLERANCE_MS = 60_000;
/** 2100-01-01: a file that says more is damaged. */
const LATEST_MS = 4_102_444_800_000;
/** A quartz loses up to 10 s in this time. */
const SIGNED_FOR_MS = 86_400_000;

export interface FlooredClock extends Clock {
  /** A time that cloud and operating system agree on. Kept for the next boot, at most once an hour. */
  remember(epochMs: number): void;
  /** The cloud's signed word, which may also be that the time kept was too late. */
  correct(epochMs: number): void;
  /**
   * The time by that word, for a day; `null` without one, and while the operating system keeps the clock set: then
   * that one counts.
   */
  signedNow(): number | null;
  /** Keeps what was remembered last. */
  save(): void;
}

/**
 * A clock that never shows less than the latest time known to have been: that of the last boot, or of the release.
 * A board without a battery may start in 1970; its log, its certificates' dates and its decisions then go on from
 * there. While the clock underneath is behind that, it is not synchronised, whatever the operating system says.
 *
 * @param options.path the time kept, epoch ms as text
 * @param options.releasedAt no clock can be right that shows less
 */
export function createFlooredClock(options: {
  readonly clock: Clock;
  readonly path: string;
  readonly releasedAt: number;
  readonly warn?: (cause: unknown) => void;
}): FlooredClock {
  const { clock, path, releasedAt } = options;
  let floor = { epochMs: Math.max(releasedAt, kept(path)), at: clock.monotonicMs() };
  let latest: { readonly epochMs: number; readonly at: number } | undefined;
  let signed: typeof latest;
  let savedAt = Number.NEGATIVE_INFINITY;
  const since = ({ epochMs, at }: typeof floor) => epochMs + clock.monotonicMs() - at;
  const save = () => {
    if (latest === undefined) return;
    savedAt = clock.monotonicMs();
    try {
      writeDurableFile(path, String(Math.floor(since(latest))));
    } catch (cause) {
      options.warn?.(cause);
    }
  };
  const synchronised = () => clock.synchronised() && clock.now() >= since(floor) - TOLERANCE_MS;
  return {
    now: () => Math.max(clock.now(), since(floor)),
    monotonicMs: clock.monotonicMs,
    after: clock.after,
    synchronised,
    signedNow: () =>
      signed === undefined || synchronised() || clock.monotonicMs() - signed.at > SIGNED_FOR_MS
        ? null
        : since(signed),
    remember: (epochMs) => {
      latest = { epochMs, at: clock.monotonicMs() };
      if (epochMs > since(floor)) floor = latest;
      if (clock.monotonicMs() - savedAt >= SAVE_EVERY_MS) save();
    },
    correct: (epochMs) => {
      floor = { epochMs: Math.max(releasedAt, epochMs), at: clock.monotonicMs() };
      latest = floor;
      signed = { epochMs, at: clock.monotonicMs() };
      if (clock.monotonicMs() - savedAt >= SAVE_EVERY_MS) save();
    },
    save,
  };
}

function kept(path: string): number {
  try {
    const epochMs = Number(readFileIfThere(path));
    return epochMs > 0 && epochMs < LATEST_MS ? epochMs : 0;
  } catch {
    return 0;
  }
}
