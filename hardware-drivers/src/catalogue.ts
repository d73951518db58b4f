import type { ComponentTypeDefinition } from '@ares/protocol';
import type { DriverDefinition } from './driver.ts';

/** A driver as an entry of the component catalogue, in the words that cloud and device share. */
export function catalogueEntry(driver: DriverDefinition): ComponentTypeDefinition {
  return {
    componentType: driver.type,
    kind: driver.kind,
    pinRoles: [...driver.pinRoles],
    metrics: Object.entries(driver.metrics).map(([metric, definition]) => ({ metric, ...definition })),
    actions:
      driver.kind === 'sensor'
        ? []
        : Object.entries(driver.actions).map(([action, { safe, longestRunMs }]) =>
            safe ? { action } : { action, longestRunMs },
          ),
    sampleIntervalMs: driver.sampleIntervalMs,
  };
}
