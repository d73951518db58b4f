/**
 * Capacitive soil-moisture sensor on an analogue-digital converter.
 *
 * Part: capacitive probe v1.2 or similar on 3.3 V; its output voltage falls as the soil gets wetter.
 * Pins: none of its own; `channel` of the converter.
 * Timing: none; the probe settles within 100 ms of a change.
 * Units: `moisture` in % between the two calibration points: 0 = probe in dry soil, 100 = in soaked soil.
 * Failure modes: NO_ANSWER (converter silent), OUT_OF_RANGE (ratio far beyond the calibration: probe not connected,
 *   or not calibrated). Ratios up to `margin` beyond a point count as that point, as calibration is never exact.
 * Source: DFRobot SEN0193 wiki, calibration procedure.
 */
import { defineDriver } from '../define-driver.ts';
import { DriverError } from '../errors.ts';
import { z } from '../schema.ts';

const ratio = () => z.number().check(z.gte(0), z.lte(1));
/** Share of the calibrated span that a ratio may lie outside. */
const margin = 0.1;

const config = z
  .strictObject({
    channel: z.withDefault(z.int().check(z.gte(0), z.lte(7)), 0),
    dryRatio: z.withDefault(ratio(), 0.85),
    wetRatio: z.withDefault(ratio(), 0.35),
  })
  .check(
    z.refine(
      ({ dryRatio, wetRatio }) => Math.abs(dryRatio - wetRatio) >= 0.05,
      'dryRatio and wetRatio must differ by at least 0.05',
    ),
  );

export const driver = defineDriver({
  apiVersion: 1,
  type: 'soil-moisture',
  kind: 'sensor',
  summary: 'Capacitive soil-moisture sensor on an ADC channel',
  config,
  pins: {},
  metrics: { moisture: { unit: '%', min: 0, max: 100, stateKey: 'soil_moisture' } },
  sampleIntervalMs: 5_000,
  create: ({ config: { channel, dryRatio, wetRatio }, hardware }) => ({
    read: async (signal) => {
      const measured = await hardware.adc.readRatio(channel, signal);
      const share = (measured - dryRatio) / (wetRatio - dryRatio);
      if (!(share >= -margin && share <= 1 + margin))
        throw new DriverError(
          'OUT_OF_RANGE',
          `soil moisture on channel ${channel}: ratio ${measured} is far outside ${dryRatio} (dry) to ${wetRatio} (wet); check the wire or calibrate`,
          { details: { channel, measured } },
        );
      return [{ metric: 'moisture', value: Math.round(Math.min(1, Math.max(0, share)) * 1_000) / 10 }];
    },
  }),
});
