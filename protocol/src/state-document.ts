import type { MetricDefinition } from './components.ts';

/** `Timeout` is how the state document writes the presence TIMEOUT. */
export type DeviceStatus = 'ONLINE' | 'OFFLINE' | 'Timeout';
export type ComponentStatus = 'OK' | 'STALE' | 'ERROR';

export interface ComponentState {
  readonly componentId: number;
  readonly componentType: string;
  readonly name?: string;
  readonly status: ComponentStatus;
  readonly reason?: string;
  /** Metric → newest value. Times are ISO 8601 UTC. */
  readonly metrics: Readonly<
    Record<string, { readonly value: number; readonly unit: string; readonly measuredAt: string }>
  >;
}

/**
 * The live state of one device. Beside the named members it holds one member per metric under its state key
 * (`led`, `pump`, `dht22_temp`, …); a second component of a type gets `<key>_<componentId>`.
 */
export interface StateDocument {
  readonly deviceUuid: string;
  readonly nickname: string | null;
  readonly device_status: DeviceStatus;
  /** ISO 8601; `null` before the first message. */
  readonly lastSeen: string | null;
  readonly components: readonly ComponentState[];
  readonly [stateKey: string]: unknown;
}

/**
 * The key of a metric: the plain one for the first component of the type (lowest id), with the id for others.
 */
export function stateKeyOf(
  metric: MetricDefinition,
  componentId: number,
  sameType: readonly number[],
): string {
  return Math.min(componentId, ...sameType) === componentId
    ? metric.stateKey
    : `${metric.stateKey}_${componentId}`;
}
