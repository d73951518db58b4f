import {
  type ComponentState,
  type ComponentTypeDefinition,
  type DeviceStatus,
  type StateDocument,
  stateKeyOf,
} from '@ares/protocol';
import type { DeviceState, Presence } from '../ports/state-store.ts';
import { componentHealth, type Pace, shownStatus } from './component-health.ts';

/** A component as the document shows it. */
interface ShownComponent {
  readonly componentId: number;
  readonly componentType: string;
  readonly name: string | undefined;
  readonly definition: ComponentTypeDefinition;
  /** Epoch ms. */
  readonly attachedAt: number;
}

export interface ShownDevice {
  readonly deviceUuid: string;
  readonly nickname: string | null;
  /** Epoch ms since when it is ONLINE; `undefined` while it is not. */
  readonly onlineSince: number | undefined;
  readonly components: readonly ShownComponent[];
}

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
      ...shownStatus(
        componentHealth(paceOf(component), { state, newest, onlineSince: device.onlineSince, now }),
      ),
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

const paceOf = ({ componentId, attachedAt, definition }: ShownComponent): Pace => ({
  componentId,
  attachedAt,
  intervalMs: definition.metrics.length === 0 ? undefined : definition.sampleIntervalMs,
});
