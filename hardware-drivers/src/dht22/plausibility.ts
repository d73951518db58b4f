import type { Quality } from '../driver.ts';
import type { Dht22Values } from './dht22-frame.ts';

/** Fastest change that the sensor's housing lets through (response time 2–10 s), with room for noise. */
const temperatureStep = { base: 3, perSecond: 0.5 };
const humidityStep = { base: 10, perSecond: 5 };
/** Noise moves a living sensor by a tenth now and then. */
const frozenAfterMs = 3_600_000;

/** Values and when they were read, monotonic. */
interface Read {
  readonly values: Dht22Values;
  readonly atMs: number;
}

/**
 * Judges each reading against the one before and against the last good one. A jump away from both is suspect; the
 * next reading is believed if it stays (the change was real) or comes back (it was a spike).
 */
export class PlausibilityCheck {
  #last: (Read & { readonly sameSinceMs: number }) | undefined;
  #good: Read | undefined;

  judge(values: Dht22Values, atMs: number): Quality {
    const last = this.#last;
    const same =
      last !== undefined &&
      last.values.temperatureCelsius === values.temperatureCelsius &&
      last.values.humidityPercent === values.humidityPercent;
    const now = { values, atMs, sameSinceMs: same ? last.sameSinceMs : atMs };
    this.#last = now;
    const frozen = atMs - now.sameSinceMs >= frozenAfterMs;
    const jumped = last !== undefined && isJump(last, now) && isJump(this.#good ?? last, now);
    if (frozen || jumped) return 'suspect';
    this.#good = now;
    return 'good';
  }
}

function isJump(from: Read, to: Read): boolean {
  const seconds = (to.atMs - from.atMs) / 1_000;
  return (
    exceeds(to.values.temperatureCelsius - from.values.temperatureCelsius, temperatureStep, seconds) ||
    exceeds(to.values.humidityPercent - from.values.humidityPercent, humidityStep, seconds)
  );
}

function exceeds(
  change: number,
  { base, perSecond }: { base: number; perSecond: number },
  seconds: number,
): boolean {
  return Math.abs(change) > base + perSecond * seconds;
}
