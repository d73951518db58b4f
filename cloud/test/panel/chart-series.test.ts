import { builtInComponentTypes } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import {
  mergePoints,
  planCharts,
  spanStart,
  summarize,
  toColumns,
  valueRange,
} from '../../src/panel/web/chart-series.ts';

const point = (at: number, value: number, metric = 'temperature') => ({ componentId: 1, metric, at, value });

describe('the history of readings', () => {
  it('puts late readings in their place and keeps each time once', () => {
    const first = mergePoints(new Map(), [point(30, 3), point(10, 1)], 0);
    const second = mergePoints(first, [point(20, 2), point(30, 99)], 0);
    expect(second.get('1.temperature')).toEqual([
      [10, 1],
      [20, 2],
      [30, 3],
    ]);
  });

  it('is the same object when nothing is new', () => {
    const history = mergePoints(new Map(), [point(10, 1)], 0);
    expect(mergePoints(history, [point(10, 1)], 0)).toBe(history);
  });

  it('drops what has left the window', () => {
    const history = mergePoints(new Map(), [point(10, 1), point(20, 2)], 0);
    expect(mergePoints(history, [point(5, 0)], 15).get('1.temperature')).toEqual([[20, 2]]);
  });
});

describe('a chart', () => {
  it('breaks its line where nothing was measured', () => {
    const series = [
      [1_000, 1],
      [2_000, 2],
      [9_000, 3],
    ] as const;
    expect(toColumns([series], 5_000)).toEqual([
      [1, 2, 5.5, 9],
      [1, 2, null, 3],
    ]);
  });

  it('joins series without breaking one where only the other was measured', () => {
    expect(toColumns([[[1_000, 1]], [[2_000, 5]]], 5_000)).toEqual([
      [1, 2],
      [1, undefined],
      [undefined, 5],
    ]);
  });

  it('is made for each unit of a sensor, and not for a switch', () => {
    const plans = builtInComponentTypes.flatMap((type) =>
      planCharts(1, type).map(({ unit, metrics }) => [type.componentType, unit, ...metrics]),
    );
    expect(plans).toEqual([
      ['dht22', 'Cel', 'temperature'],
      ['dht22', '%', 'humidity'],
      ['soil-moisture', '%', 'moisture'],
      ['cpu', '%', 'load_average', 'load_peak', 'memory_used'],
      ['cpu', 'Cel', 'temperature'],
    ]);
  });

  it('spans an hour, or what there is, but no less than five minutes', () => {
    const now = 10_000_000;
    const begun = (at: number) => spanStart(new Map([['1.x', [[at, 1] as const]]]), now);
    expect(begun(now - 9_000_000)).toBe(now - 3_600_000);
    expect(begun(now - 1_000_000)).toBe(now - 1_000_000);
    expect(begun(now - 5_000)).toBe(now - 300_000);
    expect(spanStart(new Map(), now)).toBe(now - 300_000);
  });

  it('does not blow noise up to the height of the chart', () => {
    const [low, high] = valueRange(22.8, 22.9);
    expect(high - low).toBeGreaterThan(1);
    expect(valueRange(0, 100)[1]).toBeCloseTo(105);
    const [zero, above] = valueRange(0, 0);
    expect(above).toBeGreaterThan(zero);
  });

  it('is told in words as well', () => {
    expect(
      summarize([
        [1, 5],
        [2, -1],
        [3, 2],
      ]),
    ).toEqual({ min: -1, max: 5, last: 2 });
    expect(summarize([])).toBeUndefined();
  });
});
