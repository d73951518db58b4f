/**
 * A sensor that floods: as many readings per sample as a component type may have metrics. For fault runs only.
 * Units: counts. Failure modes: none.
 */
import { defineDriver, z } from '@ares/hardware-drivers';

export const METRICS = 50;
const names = Array.from({ length: METRICS }, (_, i) => `m${i}`);

export default defineDriver({
  apiVersion: 1,
  type: 'burst',
  kind: 'sensor',
  summary: 'Fifty readings at a time',
  config: z.strictObject({}),
  pins: {},
  metrics: Object.fromEntries(
    names.map((name) => [name, { unit: '1', min: 0, max: 1_000_000_000, stateKey: `burst_${name}` }]),
  ),
  sampleIntervalMs: 100,
  create: () => {
    let count = 0;
    return {
      start: async () => {},
      read: async () => {
        count += 1;
        return names.map((metric) => ({ metric, value: count }));
      },
      stop: () => {},
    };
  },
});
