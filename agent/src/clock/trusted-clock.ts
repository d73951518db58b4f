import type { Clock } from '../ports/clock.ts';

/** Cloud and device may differ by this, in ms. */
const CLOCK_AGREEMENT_MS = 60_000;

/** A wall clock that says whether it may be believed. */
export interface TrustedClock {
  /** Set from the network, and in agreement with what the cloud said in this boot. */
  trusted(): boolean;
  /** Epoch ms, or `null` while not trusted. */
  trustedNow(): number | null;
  /** Whole ms since this boot of the agent began. */
  uptimeMs(): number;
  /**
   * The cloud's time, from an acknowledgement of this boot. One that answers what was waiting for it may set the time
   * again; any other, which might be delayed or replayed, only where there is none yet.
   */
  observeCloudTime(cloudTime: number, from: { readonly awaited: boolean }): void;
  /** The cloud's signed answer to a question of this boot; `false`: it was too long on its way to tell anything. */
  observeSignedTime(signed: SignedTime): boolean;
  /** What the trust stands on; `null` when there is none. */
  source(): ClockSource | null;
}

/** Times of one question, answered with the cloud's time at some moment in between. */
export interface SignedTime {
  readonly epochMs: number;
  /** By the monotonic clock, ms. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** `system`: set from the network, the cloud agrees; `cloud`: the cloud's signed time, while the system's is not set. */
export type ClockSource = 'system' | 'cloud';

/** An answer that took longer says too little about now. */
export const LONGEST_QUESTION_MS = 30_000;
/** A quartz loses up to 10 s in this time. */
const SIGNED_FOR_MS = 86_400_000;

/**
 * Trust is asked for at each use, so it ends at the moment the wall clock jumps: the cloud's time goes on by the
 * monotonic clock. An observation older than what that says is a delayed or replayed one and changes nothing.
 * Without a synchronised clock only a signed answer to a question of this boot is believed: it cannot be an old one.
 *
 * @param options.onAgreed told the time when the system's clock and the cloud agree
 */
export function createTrustedClock(
  clock: Clock,
  options: { readonly onAgreed?: (epochMs: number) => void } = {},
): TrustedClock {
  const startedAt = clock.monotonicMs();
  let anchor: { readonly cloudTime: number; readonly monotonicMs: number } | undefined;
  const cloudNow = () =>
    anchor === undefined ? undefined : anchor.cloudTime + (clock.monotonicMs() - anchor.monotonicMs);
  let signed: SignedTime | undefined;
  const signedNow = () => {
    if (signed === undefined) return undefined;
    const ageMs = clock.monotonicMs() - signed.answeredAt;
    // Read somewhere on the way; the middle is wrong by half of the way at most.
    return ageMs > SIGNED_FOR_MS
      ? undefined
      : signed.epochMs + (signed.answeredAt - signed.askedAt) / 2 + ageMs;
  };
  const agree = (a: number, b: number) => Math.abs(a - b) <= CLOCK_AGREEMENT_MS;
  const found = (): { readonly source: ClockSource; readonly now: number } | undefined => {
    const expected = cloudNow();
    if (expected !== undefined && clock.synchronised() && agree(clock.now(), expected))
      return { source: 'system', now: clock.now() };
    const now = signedNow();
    if (now === undefined || (expected !== undefined && !agree(now, expected))) return undefined;
    return { source: 'cloud', now };
  };
  return {
    trusted: () => found() !== undefined,
    source: () => found()?.source ?? null,
    trustedNow: () => {
      const now = found()?.now;
      return now === undefined ? null : Math.floor(now);
    },
    uptimeMs: () => Math.floor(clock.monotonicMs() - startedAt),
    observeCloudTime: (cloudTime, { awaited }) => {
      const expected = cloudNow();
      if (expected !== undefined && !awaited) return;
      if (expected !== undefined && cloudTime < expected - CLOCK_AGREEMENT_MS) return;
      anchor = { cloudTime, monotonicMs: clock.monotonicMs() };
      const now = found();
      if (now?.source === 'system') options.onAgreed?.(now.now);
    },
    observeSignedTime: (answer) => {
      if (answer.answeredAt - answer.askedAt > LONGEST_QUESTION_MS) return false;
      signed = answer;
      return true;
    },
  };
}
