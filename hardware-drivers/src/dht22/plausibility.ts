import type { Quality } from '../driver.ts';
import type { Dht22Values } from './dht22-frame.ts';

/** Fastest change that the sensor's housing lets through (response time 2–10 s), with room for noise. */
const temperatureStep = { base: 3, perSecond: 0.5 };
const humidityStep = { base: 10, perSecond: 5 };
/** Noise moves a living sensor by a tenth now and then. */
const frozenAfterMs = 3_600_000;

/**
 * Judges each reading against the one before. A jump is suspect once: the reading after it is judged against it,
 * so a change that was real is believed with the second reading.
 */
export class PlausibilityCheck {
  #last: { values: Dht22Values; atMs: number; sameSinceMs: number } | undefined;

  judge(values: Dht22Values, atMs: number): Quality {
    const last = this.#last;
    const same =
      last !== undefined &&
      last.values.temperatureCelsius === values.temperatureCelsius &&
      last.values.humidityPercent === values.humidityPercent;
    const sameSinceMs = same ? last.sameSinceMs : atMs;
    this.#last = { values, atMs, sameSinceMs };
    if (last === undefined) return 'good';
    if (atMs - sameSinceMs >= frozenAfterMs) return 'suspect';
    const seconds = (atMs - last.atMs) / 1_000;
    const jumped =
      exceeds(values.temperatureCelsius - last.values.temperatureCelsius, temperatureStep, seconds) ||
      exceeds(values.humidityPercent - last.values.humidityPercent, humidityStep, seconds);
    return jumped ? 'suspect' : 'good';
  }
}

function exceeds(
  change: number,
  { base, perSecond }: { base: number; perSecond: number },
  seconds: number,
): boolean {
  return Math.abs(change) > base + perSecond * seconds;
}
