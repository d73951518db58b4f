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
}

/**
 * Trust is asked for at each use, so it ends at the moment the wall clock jumps: the cloud's time goes on by the
 * monotonic clock. An observation older than what that says is a delayed or replayed one and changes nothing.
 */
export function createTrustedClock(clock: Clock): TrustedClock {
  const startedAt = clock.monotonicMs();
  let anchor: { readonly cloudTime: number; readonly monotonicMs: number } | undefined;
  const cloudNow = () =>
    anchor === undefined ? undefined : anchor.cloudTime + (clock.monotonicMs() - anchor.monotonicMs);
  const trusted = () => {
    const expected = cloudNow();
    if (expected === undefined || !clock.synchronised()) return false;
    return Math.abs(clock.now() - expected) <= CLOCK_AGREEMENT_MS;
  };
  return {
    trusted,
    trustedNow: () => (trusted() ? Math.floor(clock.now()) : null),
    uptimeMs: () => Math.floor(clock.monotonicMs() - startedAt),
    observeCloudTime: (cloudTime, { awaited }) => {
      const expected = cloudNow();
      if (expected !== undefined && !awaited) return;
      if (expected !== undefined && cloudTime < expected - CLOCK_AGREEMENT_MS) return;
      anchor = { cloudTime, monotonicMs: clock.monotonicMs() };
    },
  };
}
