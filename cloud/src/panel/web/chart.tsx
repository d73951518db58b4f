import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import {
  type ChartPlan,
  type Columns,
  type Series,
  summarize,
  toColumns,
  valueRange,
} from './chart-series.ts';
import { clockText, label, numberText, unitText } from './format.ts';

const HEIGHT = 150;

export interface ChartProps {
  readonly title: string;
  readonly plan: ChartPlan;
  /** One per metric of the plan. */
  readonly series: readonly Series[];
  /** The shown span, epoch ms. */
  readonly from: number;
  readonly to: number;
  readonly loading: boolean;
}

export function Chart({ title, plan, series, from, to, loading }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [pointed, setPointed] = useState<number>();
  const dark = useDark();
  const unit = unitText(plan.unit);
  const columns = useMemo(() => toColumns(series, plan.gapMs), [plan.gapMs, ...series]);
  const latest = useRef({ columns, from, to });
  latest.current = { columns, from, to };
  const empty = series.every((points) => points.length === 0);

  useEffect(() => {
    const element = box.current;
    if (element === null || empty) return;
    const colors = readColors(element);
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        scales: {
          x: { range: () => [latest.current.from / 1_000, latest.current.to / 1_000] },
          y: { range: (_, min, max) => valueRange(min ?? 0, max ?? 1) },
        },
        axes: [
          { ...axis(colors), values: (_, splits) => splits.map((at) => timeText(at)), space: 70, size: 26 },
          { ...axis(colors), size: 44, space: 24 },
        ],
        series: [
          {},
          ...plan.metrics.map((metric, index) => ({
            label: label(metric),
            stroke: colors.lines[index % colors.lines.length] as string,
            width: 1.5,
            points: { show: false },
          })),
        ],
        hooks: { setCursor: [({ cursor }) => setPointed(cursor.idx ?? undefined)] },
      },
      latest.current.columns as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [dark, empty, plan.metrics.join()]);

  useEffect(() => plot.current?.setData(columns as uPlot.AlignedData), [columns, to]);

  const summary = plan.metrics
    .map((metric, index) => {
      const found = summarize(series[index] ?? []);
      return found === undefined
        ? `${label(metric)}: no readings`
        : `${label(metric)}: ${numberText(found.last)} ${unit} now, from ${numberText(found.min)} to ${numberText(found.max)} ${unit}`;
    })
    .join('; ');
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">
          {title}, {unit}
        </span>
        {plan.metrics.map((metric, index) => (
          <span key={metric} class={`key line-${index % 4}`}>
            {label(metric)} <b>{shown(columns, index, pointed)}</b>
          </span>
        ))}
        <span class="muted small">
          {pointed === undefined ? '' : clockText((columns[0][pointed] ?? 0) * 1_000)}
        </span>
      </figcaption>
      {empty ? (
        <p class="muted plot-empty">{loading ? 'Loading readings' : 'No readings in the last hour.'}</p>
      ) : (
        <div ref={box} class="plot" role="img" aria-label={`${title}, last hour. ${summary}.`} />
      )}
    </figure>
  );
}

/** The value under the pointer, else the newest. */
function shown(columns: Columns, index: number, pointed: number | undefined): string {
  const values = columns[index + 1] ?? [];
  const value =
    pointed === undefined
      ? values.findLast((candidate) => candidate !== null && candidate !== undefined)
      : values[pointed];
  return value === null || value === undefined ? '–' : numberText(value);
}

const timeText = (atSeconds: number) =>
  new Date(atSeconds * 1_000).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });

interface Colors {
  readonly ink: string;
  readonly grid: string;
  readonly lines: readonly string[];
}

/** A canvas knows no CSS variables: the colours of the style sheet are read from it. */
function readColors(element: Element): Colors {
  const style = getComputedStyle(element);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: read('--muted'),
    grid: read('--line'),
    lines: ['--line-0', '--line-1', '--line-2', '--line-3'].map(read),
  };
}

function axis(colors: Colors): uPlot.Axis {
  return {
    stroke: colors.ink,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
}

function useDark(): boolean {
  const query = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), []);
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, [query]);
  return dark;
}
