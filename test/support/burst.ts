import type { ComponentTypeDefinition } from '@ares/protocol';

/** Catalogue entry of the driver in `test/faults/drivers/burst`: fifty readings at a time. */
export const burstDefinition = (sampleIntervalMs: number): ComponentTypeDefinition => ({
  componentType: 'burst',
  kind: 'sensor',
  pinRoles: [],
  metrics: Array.from({ length: 50 }, (_, i) => ({
    metric: `m${i}`,
    unit: '1',
    min: 0,
    max: 1_000_000_000,
    stateKey: `burst_m${i}`,
  })),
  actions: [],
  sampleIntervalMs,
});
