import type {
  DeviceState,
  HealthValue,
  MetricValue,
  Order,
  Presence,
  StateStore,
} from '../ports/state-store.ts';

interface Entry {
  presence: Presence;
  connectionId: string | undefined;
  lastSeen: number | undefined;
  dirty: boolean;
  readonly values: Map<string, MetricValue>;
  readonly health: Map<number, HealthValue>;
}

/** The state store of one process. Everything is done at once, so every step is atomic. */
export function createMemoryStateStore(): StateStore {
  const entries = new Map<string, Entry>();
  /** ONLINE devices, least recently seen first: an entry is moved to the end whenever it is seen. */
  const online = new Map<string, number>();

  const seen = (deviceUuid: string, entry: Entry, at: number) => {
    entry.lastSeen = Math.max(entry.lastSeen ?? 0, at);
    reindex(deviceUuid, entry);
  };
  const reindex = (deviceUuid: string, entry: Entry) => {
    online.delete(deviceUuid);
    if (entry.presence === 'ONLINE') online.set(deviceUuid, entry.lastSeen ?? 0);
  };
  const takeValue = (entry: Entry, value: MetricValue): boolean => {
    const key = `${value.componentId}/${value.metric}`;
    const old = entry.values.get(key);
    if (old !== undefined && !isAfter(value, old)) return false;
    entry.values.set(key, value);
    return true;
  };
  const takeHealth = (entry: Entry, value: HealthValue): boolean => {
    const old = entry.health.get(value.componentId);
    if (old !== undefined && !isLater(value, old)) return false;
    entry.health.set(value.componentId, value);
    return old?.status !== value.status || old.reason !== value.reason;
  };

  return {
    async get(deviceUuid) {
      const entry = entries.get(deviceUuid);
      return entry === undefined || entry.dirty ? undefined : snapshot(entry);
    },
    async apply(deviceUuid, update) {
      const entry = entries.get(deviceUuid);
      if (entry === undefined) return 'missing';
      let changed = false;
      for (const value of update.values) changed = takeValue(entry, value) || changed;
      for (const value of update.health) changed = takeHealth(entry, value) || changed;
      // A message after a time-out proves the device alive; after a will it may be a straggler.
      if (entry.presence === 'TIMEOUT') {
        entry.presence = 'ONLINE';
        changed = true;
      }
      seen(deviceUuid, entry, update.seenAt);
      return changed ? 'changed' : 'same';
    },
    async birth(deviceUuid, connectionId, at) {
      const entry = entries.get(deviceUuid);
      if (entry === undefined) return 'missing';
      entry.presence = 'ONLINE';
      entry.connectionId = connectionId;
      seen(deviceUuid, entry, at);
      return 'done';
    },
    async will(deviceUuid, connectionId) {
      const entry = entries.get(deviceUuid);
      if (entry === undefined || entry.connectionId !== connectionId || entry.presence === 'OFFLINE')
        return false;
      entry.presence = 'OFFLINE';
      reindex(deviceUuid, entry);
      return true;
    },
    async timeOut(deviceUuid, seenBefore) {
      const entry = entries.get(deviceUuid);
      if (entry?.presence !== 'ONLINE' || (entry.lastSeen ?? 0) >= seenBefore) return false;
      entry.presence = 'TIMEOUT';
      reindex(deviceUuid, entry);
      return true;
    },
    async overdue(seenBefore, limit) {
      const found: string[] = [];
      for (const [deviceUuid, at] of online) {
        if (found.length >= limit || at >= seenBefore) break;
        found.push(deviceUuid);
      }
      return found;
    },
    async refill(deviceUuid, state) {
      const old = entries.get(deviceUuid);
      const entry: Entry = {
        presence: old?.presence ?? state.presence,
        connectionId: old === undefined ? state.connectionId : old.connectionId,
        lastSeen: maximum(old?.lastSeen, state.lastSeen),
        dirty: false,
        values: new Map(),
        health: new Map(),
      };
      for (const value of [...state.values, ...(old?.values.values() ?? [])]) takeValue(entry, value);
      for (const value of [...state.health, ...(old?.health.values() ?? [])]) takeHealth(entry, value);
      entries.set(deviceUuid, entry);
      insertOrdered(online, deviceUuid, entry);
    },
    async markDirty(deviceUuids) {
      for (const deviceUuid of deviceUuids === 'all' ? entries.keys() : deviceUuids) {
        const entry = entries.get(deviceUuid);
        if (entry !== undefined) entry.dirty = true;
      }
    },
    async drop(deviceUuid) {
      entries.delete(deviceUuid);
      online.delete(deviceUuid);
    },
    healthy: async () => true,
  };
}

/** A refilled entry may have been seen long ago: it belongs before those that were seen since. */
function insertOrdered(online: Map<string, number>, deviceUuid: string, entry: Entry): void {
  online.delete(deviceUuid);
  if (entry.presence !== 'ONLINE') return;
  const at = entry.lastSeen ?? 0;
  const later = [...online].filter(([, seenAt]) => seenAt > at);
  online.set(deviceUuid, at);
  for (const [uuid, seenAt] of later) {
    online.delete(uuid);
    online.set(uuid, seenAt);
  }
}

const maximum = (a: number | undefined, b: number | undefined) =>
  a === undefined ? b : b === undefined ? a : Math.max(a, b);

const isAfter = (a: Order, b: Order) =>
  a.bootCount > b.bootCount || (a.bootCount === b.bootCount && a.seq > b.seq);

const isLater = (a: HealthValue, b: HealthValue) =>
  a.bootCount > b.bootCount || (a.bootCount === b.bootCount && a.uptimeMs >= b.uptimeMs);

function snapshot(entry: Entry): DeviceState {
  return {
    presence: entry.presence,
    connectionId: entry.connectionId,
    lastSeen: entry.lastSeen,
    values: [...entry.values.values()],
    health: [...entry.health.values()],
  };
}
