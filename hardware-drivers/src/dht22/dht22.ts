/**
 * DHT22 (AM2302) temperature and humidity sensor.
 *
 * Part: DHT22 / AM2302 on 3.3 V with a pull-up of 4.7–10 kΩ on the data line.
 * Pins: one line, the sensor's own one-wire protocol (40 bits, start pulse ≥ 1 ms).
 * Timing: the sensor measures when asked, at most every 2 s; asked earlier it, or the kernel for it, answers nothing
 *   or the old value. So every query, a repeated one too, waits until 2 s after the end of the one before. A read
 *   takes up to (attempts − 1) × 2 s and what the queries take, a second each when nobody answers.
 * Units: temperature °C −40..80 in steps of 0.1 (± 0.5), humidity % 0..100 in steps of 0.1 (± 2).
 * Failure modes: NO_ANSWER (not wired, line stuck), CHECKSUM (long or noisy cable; about one query in four is normal),
 *   OUT_OF_RANGE (dying sensor). Each is reported after the last attempt; no value is ever repeated or made up.
 *   Values that jump faster than the sensor can follow, or stand still to the tenth for an hour, are `suspect`.
 * Source: Aosong AM2302 datasheet; retry figures of Linux drivers/iio/humidity/dht11.c.
 */
import { defineDriver } from '../define-driver.ts';
import type { Quality } from '../driver.ts';
import type { MeasuredValue } from '../driver-spec.ts';
import { DriverError, reasonOf } from '../errors.ts';
import type { Dht22Bus } from '../hardware.ts';
import { z } from '../schema.ts';
import { type Dht22Values, valuesOf } from './dht22-frame.ts';
import { PlausibilityCheck } from './plausibility.ts';

/** Shortest time between two queries (datasheet: 2 s). */
const restMs = 2_000;
const range = { temperature: { min: -40, max: 80 }, humidity: { min: 0, max: 100 } } as const;

const config = z.strictObject({
  /** Queries per read before it fails. */
  attempts: z.withDefault(z.int().check(z.gte(1), z.lte(5)), 3),
});

export const driver = defineDriver({
  apiVersion: 1,
  type: 'dht22',
  kind: 'sensor',
  summary: 'DHT22 (AM2302) temperature and humidity sensor',
  config,
  pins: { data: { function: 'one-wire' } },
  metrics: {
    temperature: { unit: 'Cel', ...range.temperature, stateKey: 'dht22_temp' },
    humidity: { unit: '%', ...range.humidity, stateKey: 'dht22_humidity' },
  },
  sampleIntervalMs: 5_000,
  create: ({ pins: { data: pin }, config: { attempts }, hardware, clock, logger }) => {
    let answeredAtMs = Number.NEGATIVE_INFINITY;
    const plausibility = new PlausibilityCheck();
    return {
      read: async (signal) => {
        for (let attempt = 1; ; attempt += 1) {
          const waitMs = answeredAtMs + restMs - clock.monotonicMs();
          if (waitMs > 0) await clock.delay(waitMs, signal);
          try {
            const values = await query(hardware.dht22Bus, pin, signal);
            return measurements(values, plausibility.judge(values, clock.monotonicMs()));
          } catch (error) {
            signal.throwIfAborted();
            if (attempt >= attempts) throw failed(error, pin, attempts);
            logger.debug('DHT22 query failed, asking again', { bcm: pin, attempt, reason: reasonOf(error) });
          } finally {
            answeredAtMs = clock.monotonicMs();
          }
        }
      },
    };
  },
});

async function query(bus: Dht22Bus, pin: number, signal: AbortSignal): Promise<Dht22Values> {
  const values = valuesOf(await bus.query(pin, signal));
  assertInRange('temperature', values.temperatureCelsius);
  assertInRange('humidity', values.humidityPercent);
  return values;
}

/** A frame with one impossible value is wholly in doubt. */
function assertInRange(metric: keyof typeof range, value: number): void {
  const { min, max } = range[metric];
  // Written so that NaN fails too.
  if (!(value >= min && value <= max))
    throw new DriverError('OUT_OF_RANGE', `${metric} ${value} is outside ${min}..${max}`, {
      details: { metric, value },
    });
}

function measurements(values: Dht22Values, quality: Quality): MeasuredValue<'temperature' | 'humidity'>[] {
  return [
    { metric: 'temperature', value: values.temperatureCelsius, quality },
    { metric: 'humidity', value: values.humidityPercent, quality },
  ];
}

function failed(error: unknown, pin: number, attempts: number): DriverError {
  const code = error instanceof DriverError ? error.code : 'NO_ANSWER';
  return new DriverError(code, `DHT22 on BCM ${pin}, ${attempts} attempts: ${reasonOf(error)}`, {
    details: { bcm: pin, attempts },
    cause: error,
  });
}
