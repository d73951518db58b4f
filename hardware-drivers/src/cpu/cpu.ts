/**
 * The Pi's own processor.
 *
 * Part: the SoC; no wiring, no pins.
 * Timing: one look at /proc and /sys per read, well under a millisecond, no child process.
 * Units: load in % since the read before (the first: since boot): `load_average` over all cores, `load_peak` the busiest core;
 *   `temperature` °C of the SoC; `memory_used` % in use, i.e. not available to programs.
 * Failure modes: NO_ANSWER where /proc is not Linux's. A board without a thermal zone (a virtual machine) reports
 *   no temperature.
 * Source: proc(5); Documentation/driver-api/thermal/sysfs-api.rst.
 */
import { defineDriver } from '../define-driver.ts';
import type { MeasuredValue } from '../driver-spec.ts';
import { z } from '../schema.ts';

export const driver = defineDriver({
  apiVersion: 1,
  type: 'cpu',
  kind: 'sensor',
  summary: 'Load, temperature and memory of the Pi itself',
  config: z.strictObject({}),
  pins: {},
  metrics: {
    load_average: { unit: '%', min: 0, max: 100, stateKey: 'cpu_average' },
    load_peak: { unit: '%', min: 0, max: 100, stateKey: 'cpu_peak' },
    temperature: { unit: 'Cel', min: -40, max: 150, stateKey: 'cpu_temperature' },
    memory_used: { unit: '%', min: 0, max: 100, stateKey: 'cpu_memory' },
  },
  sampleIntervalMs: 5_000,
  create: ({ hardware }) => ({
    read: async () => {
      const sample = await hardware.cpu.sample();
      const values: MeasuredValue<'load_average' | 'load_peak' | 'temperature' | 'memory_used'>[] = [
        { metric: 'load_average', value: sample.averageLoadPercent },
        { metric: 'load_peak', value: sample.peakLoadPercent },
      ];
      if (sample.temperatureCelsius !== null)
        values.push({ metric: 'temperature', value: sample.temperatureCelsius });
      if (sample.memoryUsedPercent !== null)
        values.push({ metric: 'memory_used', value: sample.memoryUsedPercent });
      return values;
    },
  }),
});
