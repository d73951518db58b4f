/**
 * The Pi's own processor.
 *
 * Part: the SoC; no wiring, no pins.
 * Timing: one look at /proc and /sys per read, well under a millisecond, no child process.
 * Units: load in % since the read before (the first: since boot): `load_average` over all cores, `load_peak` the busiest core;
 *   `temperature` °C of the SoC; `memory_used` % in use, i.e. not available to programs;
 *   `undervoltage` 1 when the supply was too weak at any moment since the read before (the first: since boot), `throttled` 1 when
 *   the board slowed itself down for that or for its heat. The firmware remembers such a moment until the next boot,
 *   but tells only the first of each kind; later ones show while they last.
 * Failure modes: NO_ANSWER where /proc is not Linux's. What a board has not (a virtual machine: thermal zone and firmware)
 *   is not reported, never as a zero.
 * Source: proc(5); Documentation/driver-api/thermal/sysfs-api.rst; vcgencmd get_throttled of the Raspberry Pi documentation.
 */
import { defineDriver } from '../define-driver.ts';
import { z } from '../schema.ts';

type Metric = 'load_average' | 'load_peak' | 'temperature' | 'memory_used' | 'undervoltage' | 'throttled';

export const driver = defineDriver({
  apiVersion: 1,
  type: 'cpu',
  kind: 'sensor',
  summary: 'Load, temperature, memory and supply of the Pi itself',
  config: z.strictObject({}),
  pins: {},
  metrics: {
    load_average: { unit: '%', min: 0, max: 100, stateKey: 'cpu_average' },
    load_peak: { unit: '%', min: 0, max: 100, stateKey: 'cpu_peak' },
    temperature: { unit: 'Cel', min: -40, max: 150, stateKey: 'cpu_temperature' },
    memory_used: { unit: '%', min: 0, max: 100, stateKey: 'cpu_memory' },
    undervoltage: { unit: '1', min: 0, max: 1, stateKey: 'cpu_undervoltage' },
    throttled: { unit: '1', min: 0, max: 1, stateKey: 'cpu_throttled' },
  },
  sampleIntervalMs: 5_000,
  create: ({ hardware }) => ({
    read: async () => {
      const sample = await hardware.cpu.sample();
      const values: Record<Metric, number | null> = {
        load_average: sample.averageLoadPercent,
        load_peak: sample.peakLoadPercent,
        temperature: sample.temperatureCelsius,
        memory_used: sample.memoryUsedPercent,
        undervoltage: flag(sample.undervoltage),
        throttled: flag(sample.throttled),
      };
      return Object.entries(values).flatMap(([metric, value]) =>
        value === null ? [] : [{ metric: metric as Metric, value }],
      );
    },
  }),
});

function flag(value: boolean | null): number | null {
  return value === null ? null : Number(value);
}
