import type { ComponentType } from './types.ts';

/** Time in epoch ms, value. Sorted by time, each time once. */
export type Series = readonly (readonly [at: number, value: number])[];

/** Series by `<componentId>.<metric>`. */
export type History = ReadonlyMap<string, Series>;

export const seriesKey = (componentId: number, metric: string): string => `${componentId}.${metric}`;

export interface Point {
  readonly componentId: number;
  readonly metric: string;
  /** Epoch ms. */
  readonly at: number;
  readonly value: number;
}

/** Adds points, drops what is older than `from`. The same history comes back when nothing is new. */
export function mergePoints(history: History, points: readonly Point[], from: number): History {
  const byKey = Map.groupBy(
    points.filter(({ at }) => at >= from),
    ({ componentId, metric }) => seriesKey(componentId, metric),
  );
  let next: Map<string, Series> | undefined;
  for (const key of new Set([...history.keys(), ...byKey.keys()])) {
    const before = history.get(key) ?? [];
    const merged = mergeSeries(before, byKey.get(key) ?? [], from);
    if (merged !== before) next = (next ?? new Map(history)).set(key, merged);
  }
  return next ?? history;
}

function mergeSeries(before: Series, points: readonly Point[], from: number): Series {
  const known = new Map(before);
  const fresh = points.filter(({ at }) => !known.has(at));
  const outdated = before.length > 0 && (before[0]?.[0] ?? 0) < from;
  if (fresh.length === 0 && !outdated) return before;
  for (const { at, value } of fresh) known.set(at, value);
  return [...known].filter(([at]) => at >= from).sort(([a], [b]) => a - b);
}

/** Columns as uPlot takes them: times in seconds, then a column per series; `null` breaks the line. */
export type Columns = [number[], ...(number | null | undefined)[][]];

/**
 * Aligns series on one time axis. Where all of them are silent for longer than `gapMs` the lines break: a chart
 * must not draw readings that nobody took.
 */
export function toColumns(series: readonly Series[], gapMs: number): Columns {
  const times = [...new Set(series.flatMap((points) => points.map(([at]) => at)))].sort((a, b) => a - b);
  const withGaps = times.flatMap((at, index) => {
    const before = times[index - 1];
    return before !== undefined && at - before > gapMs ? [(before + at) / 2, at] : [at];
  });
  const known = new Set(times);
  const columns = series.map((points) => {
    const values = new Map(points);
    return withGaps.map((at) => (known.has(at) ? values.get(at) : null));
  });
  return [withGaps.map((at) => at / 1_000), ...columns];
}

/** One chart: the metrics of a component that share a unit. */
export interface ChartPlan {
  readonly componentId: number;
  readonly unit: string;
  readonly metrics: readonly string[];
  readonly gapMs: number;
}

const SHORTEST_GAP_MS = 90_000;

/** Which charts a component gets: one per unit of a sensor, none for what has no unit. */
export function planCharts(
  componentId: number,
  type: Pick<ComponentType, 'kind' | 'metrics' | 'sampleIntervalMs'>,
): ChartPlan[] {
  const byUnit = Map.groupBy(
    type.kind === 'sensor' ? type.metrics.filter(({ unit }) => unit !== '1') : [],
    ({ unit }) => unit,
  );
  // Readings arrive in batches; six missing ones are silence.
  const gapMs = Math.max(SHORTEST_GAP_MS, type.sampleIntervalMs * 6);
  return [...byUnit].map(([unit, metrics]) => ({
    componentId,
    unit,
    metrics: metrics.map(({ metric }) => metric),
    gapMs,
  }));
}

const LONGEST_SPAN_MS = 3_600_000;
const SHORTEST_SPAN_MS = 300_000;

/** Where the shown span begins: an hour ago, or later when there is less to show, then at the first reading. */
export function spanStart(history: History, now: number): number {
  const first = Math.min(...[...history.values()].map((series) => series[0]?.[0] ?? now), now);
  return Math.max(now - LONGEST_SPAN_MS, Math.min(first, now - SHORTEST_SPAN_MS));
}

/** The value axis: some air around the values, and never so narrow that noise looks like weather. */
export function valueRange(min: number, max: number): [number, number] {
  const least = Math.max(1e-6, 0.05 * Math.max(Math.abs(min), Math.abs(max)));
  const middle = (min + max) / 2;
  const half = Math.max((max - min) * 0.55, least / 2);
  return [middle - half, middle + half];
}

/** Lowest, highest and newest value, for those who do not see the picture. */
export function summarize(series: Series): { min: number; max: number; last: number } | undefined {
  if (series.length === 0) return undefined;
  const values = series.map(([, value]) => value);
  return { min: Math.min(...values), max: Math.max(...values), last: values.at(-1) as number };
}
