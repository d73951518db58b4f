import type { DeviceState, HealthValue, MetricValue, Presence } from '../ports/state-store.ts';

/**
 * The hash of one device in Redis. Fixed fields: `p` presence, `c` connection, `s` last-seen, `i` the last-seen that
 * the index of the sweep knows, `e` epoch of the last refill, absent when the entry is dirty, `m` another one whenever
 * the device was marked dirty, forgotten or lost. A field for each value
 * (`v:<component>:<metric>`) and each component's health (`h:<component>`); both begin with the two numbers that
 * order them, so that a script compares them without reading the rest.
 */
export type EntryHash = Readonly<Record<string, string>>;

/** Field and content, as the scripts take them. */
export type Packed = readonly [field: string, content: string];

export function packValue({ componentId, metric, bootCount, seq, measuredAt, value }: MetricValue): Packed {
  return [`v:${componentId}:${metric}`, `${bootCount}:${seq}:${measuredAt}:${value}`];
}

export function packHealth(health: HealthValue): Packed {
  const { componentId, bootCount, uptimeMs, status, reason, sampleIntervalMs } = health;
  // Without an interval as short as ever: replicas of two releases must not see a change where there is none.
  const said = sampleIntervalMs === undefined ? [status, reason] : [status, reason, sampleIntervalMs];
  return [`h:${componentId}`, `${bootCount}:${uptimeMs}:${JSON.stringify(said)}`];
}

/** Of many values of one metric only the last by order can stay: the others need not travel. */
export function packNewest(values: readonly MetricValue[]): Packed[] {
  const newest = new Map<string, MetricValue>();
  for (const value of values) {
    const key = `${value.componentId}:${value.metric}`;
    const old = newest.get(key);
    const isAfter =
      old === undefined ||
      value.bootCount > old.bootCount ||
      (value.bootCount === old.bootCount && value.seq > old.seq);
    if (isAfter) newest.set(key, value);
  }
  return [...newest.values()].map(packValue);
}

export function unpackEntry(hash: EntryHash): DeviceState {
  const values: MetricValue[] = [];
  const health: HealthValue[] = [];
  for (const [field, content] of Object.entries(hash)) {
    if (field.startsWith('v:')) values.push(unpackValue(field, content));
    else if (field.startsWith('h:')) health.push(unpackHealth(field, content));
  }
  return {
    presence: hash['p'] as Presence,
    connectionId: hash['c'],
    lastSeen: hash['s'] === undefined ? undefined : Number(hash['s']),
    values,
    health,
  };
}

function unpackValue(field: string, content: string): MetricValue {
  const afterComponent = field.indexOf(':', 2);
  const [bootCount, seq, measuredAt, value] = content.split(':').map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return {
    componentId: Number(field.slice(2, afterComponent)),
    metric: field.slice(afterComponent + 1),
    value,
    measuredAt,
    bootCount,
    seq,
  };
}

function unpackHealth(field: string, content: string): HealthValue {
  const [bootCount, uptimeMs] = content.split(':', 2) as [string, string];
  const rest = content.slice(bootCount.length + uptimeMs.length + 2);
  const [status, reason, sampleIntervalMs] = JSON.parse(rest) as [
    HealthValue['status'],
    string | null,
    number?,
  ];
  return {
    componentId: Number(field.slice(2)),
    status,
    ...(reason !== null && { reason }),
    ...(sampleIntervalMs !== undefined && { sampleIntervalMs }),
    bootCount: Number(bootCount),
    uptimeMs: Number(uptimeMs),
  };
}
