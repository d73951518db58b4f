/** When credentials are renewed, and how long a certificate lives, in epoch ms. */
export interface Lifetime {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Part of the life after which a certificate is renewed, and how much of the life renewals are spread over. */
const RENEW_AT = 2 / 3;
const SPREAD = 0.1;

/**
 * Epoch ms at which to renew: two thirds of the life, earlier by up to a tenth of it, so that devices which were
 * claimed in the same minute do not renew in the same minute for ever.
 *
 * @param fraction random, 0 ≤ x < 1
 */
export function renewalTime({ notBefore, notAfter }: Lifetime, fraction: number): number {
  const life = notAfter - notBefore;
  return Math.floor(notBefore + life * (RENEW_AT - SPREAD * fraction));
}

/** Whether it is time, by the date or by what has passed since the credentials came: a clock that jumps back, or never was set, must not skip it. */
export function isRenewalDue(input: {
  readonly renewAt: number;
  /** Epoch ms now, trusted or not. */
  readonly now: number;
  /** Cloud time when the credentials came, and the monotonic time since then; undefined after a restart. */
  readonly issuedAt: number;
  readonly sinceIssuedMs: number | undefined;
}): boolean {
  const { renewAt, now, issuedAt, sinceIssuedMs } = input;
  return now >= renewAt || (sinceIssuedMs !== undefined && issuedAt + sinceIssuedMs >= renewAt);
}

/** Shortest time between two renewals, ms, so that a clock which is far ahead does not ask without end. */
export function shortestPauseMs({ notBefore, notAfter }: Lifetime): number {
  return Math.floor((notAfter - notBefore) * SPREAD);
}

/** Pause after the n-th failure in a row (from 1), ms: 30 s doubling to an hour, ± half, or what the cloud asked for. */
export function renewalPauseMs(
  failures: number,
  retryAfterSeconds: number | undefined,
  fraction: number,
): number {
  const base = Math.min(30_000 * 2 ** (failures - 1), 3_600_000);
  const spread = base * (0.5 + fraction);
  return Math.max(spread, (retryAfterSeconds ?? 0) * 1_000);
}
