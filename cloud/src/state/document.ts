import {
  type ComponentState,
  type ComponentTypeDefinition,
  type DeviceStatus,
  type StateDocument,
  stateKeyOf,
} from '@ares/protocol';
import type { DeviceState, Presence } from '../ports/state-store.ts';

/** A component as the document shows it. */
interface ShownComponent {
  readonly componentId: number;
  readonly componentType: string;
  readonly name: string | undefined;
  readonly definition: ComponentTypeDefinition;
}

export interface ShownDevice {
  readonly deviceUuid: string;
  readonly nickname: string | null;
  readonly components: readonly ShownComponent[];
}

/** Missed intervals after which a value is old. */
const STALE_INTERVALS = 3;
/** Readings travel together for up to 15 s, so a value is never old before that. */
const STALE_AT_LEAST_MS = 60_000;

const STATUS: Readonly<Record<Presence, DeviceStatus>> = {
  ONLINE: 'ONLINE',
  OFFLINE: 'OFFLINE',
  TIMEOUT: 'Timeout',
};

/** The whole live state of a device. `now` in epoch ms decides what is stale. */
export function buildDocument(device: ShownDevice, state: DeviceState, now: number): StateDocument {
  const byId = [...device.components].sort((a, b) => a.componentId - b.componentId);
  const keys: Record<string, number> = {};
  const components = byId.map((component): ComponentState => {
    const sameType = byId
      .filter(({ componentType }) => componentType === component.componentType)
      .map(({ componentId }) => componentId);
    const metrics: Record<string, { value: number; unit: string; measuredAt: string }> = {};
    let newest: number | undefined;
    for (const metric of component.definition.metrics) {
      const value = state.values.find(
        (one) => one.componentId === component.componentId && one.metric === metric.metric,
      );
      if (value === undefined) continue;
      newest = Math.max(newest ?? 0, value.measuredAt);
      metrics[metric.metric] = {
        value: value.value,
        unit: metric.unit,
        measuredAt: new Date(value.measuredAt).toISOString(),
      };
      keys[stateKeyOf(metric, component.componentId, sameType)] = value.value;
    }
    return {
      componentId: component.componentId,
      componentType: component.componentType,
      ...(component.name !== undefined && { name: component.name }),
      ...statusOf(component, state, newest, now),
      metrics,
    };
  });
  return {
    ...keys,
    deviceUuid: device.deviceUuid,
    nickname: device.nickname,
    device_status: STATUS[state.presence],
    lastSeen: state.lastSeen === undefined ? null : new Date(state.lastSeen).toISOString(),
    components,
  };
}

function statusOf(
  component: ShownComponent,
  state: DeviceState,
  newest: number | undefined,
  now: number,
): Pick<ComponentState, 'status' | 'reason'> {
  const health = state.health.find(({ componentId }) => componentId === component.componentId);
  if (health?.status === 'ERROR')
    return { status: 'ERROR', ...(health.reason !== undefined && { reason: health.reason }) };
  const limitMs = Math.max(STALE_AT_LEAST_MS, STALE_INTERVALS * component.definition.sampleIntervalMs);
  const isFresh = newest !== undefined && now - newest <= limitMs && state.presence === 'ONLINE';
  return { status: isFresh ? 'OK' : 'STALE' };
}
