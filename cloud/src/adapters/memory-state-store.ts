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
  /** In which it was refilled; undefined when it is dirty. */
  epoch: number | undefined;
  readonly values: Map<string, MetricValue>;
  readonly health: Map<number, HealthValue>;
}

/** The state store of one process. Everything is done at once, so every step is atomic. */
export function createMemoryStateStore(): StateStore {
  const entries = new Map<string, Entry>();
  const online = createSeenIndex();
  /** How often a device was marked dirty or forgotten: what was read before that is outdated. */
  const marks = new Map<string, number>();
  let epoch = 0;

  const stampOf = (deviceUuid: string) => `${epoch}.${marks.get(deviceUuid) ?? 0}`;
  const mark = (deviceUuid: string) => marks.set(deviceUuid, (marks.get(deviceUuid) ?? 0) + 1);

  const seen = (deviceUuid: string, entry: Entry, at: number) => {
    entry.lastSeen = Math.max(entry.lastSeen ?? 0, at);
    reindex(deviceUuid, entry);
  };
  const reindex = (deviceUuid: string, entry: Entry) =>
    online.put(deviceUuid, entry.presence === 'ONLINE' ? (entry.lastSeen ?? 0) : undefined);
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
    shared: false,
    async get(deviceUuid) {
      const entry = entries.get(deviceUuid);
      return entry?.epoch === epoch ? snapshot(entry) : undefined;
    },
    async apply(deviceUuid, update) {
      const entry = entries.get(deviceUuid);
      if (entry === undefined) return 'missing';
      let changed = false;
      for (const value of update.values) changed = takeValue(entry, value) || changed;
      for (const value of update.health) changed = takeHealth(entry, value) || changed;
      // A message after a time-out proves the device alive; after a will it may be a straggler.
      const revived = entry.presence === 'TIMEOUT';
      if (revived) entry.presence = 'ONLINE';
      seen(deviceUuid, entry, update.seenAt);
      if (revived) return 'revived';
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
      return online
        .before(seenBefore)
        .filter((deviceUuid) => (entries.get(deviceUuid)?.lastSeen ?? 0) < seenBefore)
        .slice(0, limit);
    },
    async expect(devices) {
      for (const [deviceUuid, at] of devices) if (!entries.has(deviceUuid)) online.put(deviceUuid, at);
    },
    leadsSweep: async () => true,
    epoch: async () => String(epoch),
    stamp: async (deviceUuid) => stampOf(deviceUuid),
    async refill(deviceUuid, state, stamp) {
      if (stamp !== stampOf(deviceUuid)) return;
      const old = entries.get(deviceUuid);
      const kept = old?.epoch === epoch ? old : undefined;
      const entry: Entry = {
        presence: kept === undefined ? state.presence : kept.presence,
        connectionId: kept === undefined ? state.connectionId : kept.connectionId,
        lastSeen: maximum(old?.lastSeen, state.lastSeen),
        epoch,
        values: new Map(),
        health: new Map(),
      };
      for (const value of [...state.values, ...(old?.values.values() ?? [])]) takeValue(entry, value);
      for (const value of [...state.health, ...(old?.health.values() ?? [])]) takeHealth(entry, value);
      entries.set(deviceUuid, entry);
      reindex(deviceUuid, entry);
    },
    async markDirty(deviceUuids) {
      if (deviceUuids === 'all') {
        epoch += 1;
        return;
      }
      for (const deviceUuid of deviceUuids) {
        mark(deviceUuid);
        const entry = entries.get(deviceUuid);
        if (entry !== undefined) entry.epoch = undefined;
      }
    },
    async drop(deviceUuid) {
      mark(deviceUuid);
      entries.delete(deviceUuid);
      online.put(deviceUuid, undefined);
    },
    healthy: async () => true,
  };
}

const BUCKET_MS = 1_000;

/** Devices by the second in which they were last seen: a look by range touches only what is overdue. */
function createSeenIndex() {
  const buckets = new Map<number, Set<string>>();
  const places = new Map<string, number>();
  return {
    put(deviceUuid: string, at: number | undefined): void {
      const place = at === undefined ? undefined : Math.floor(at / BUCKET_MS);
      const old = places.get(deviceUuid);
      if (old === place) return;
      if (old !== undefined) {
        const bucket = buckets.get(old);
        bucket?.delete(deviceUuid);
        if (bucket?.size === 0) buckets.delete(old);
      }
      if (place === undefined) {
        places.delete(deviceUuid);
        return;
      }
      places.set(deviceUuid, place);
      buckets.set(place, (buckets.get(place) ?? new Set()).add(deviceUuid));
    },
    before(at: number): string[] {
      return [...buckets.keys()]
        .filter((place) => place * BUCKET_MS < at)
        .sort((a, b) => a - b)
        .flatMap((place) => [...(buckets.get(place) ?? [])]);
    },
  };
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
