import { useEffect, useMemo, useState } from 'preact/hooks';
import { Chart } from './chart.tsx';
import {
  type ChartPlan,
  type History,
  mergePoints,
  planCharts,
  seriesKey,
  spanStart,
} from './chart-series.ts';
import { label, problemText } from './format.ts';
import { useNow, usePanel } from './panel.ts';
import type { Component, ComponentType, StateDocument } from './types.ts';

const HOUR_MS = 3_600_000;
const LIMIT = 10_000;
/** Live state carries only the newest reading of a batch; this often the others are fetched. */
const CATCH_UP_MS = 30_000;
/** Readings may be stored out of order while a device empties its outbox. */
const OVERLAP_MS = 300_000;

export interface ChartsProps {
  readonly deviceUuid: string;
  readonly wiring: { readonly components: readonly Component[]; readonly types: readonly ComponentType[] };
  readonly state: StateDocument | undefined;
}

/** The last hour of every sensor, going on live. */
export function Charts({ deviceUuid, wiring, state }: ChartsProps) {
  const plans = useMemo(
    () =>
      wiring.components.flatMap((component) => {
        const type = wiring.types.find(({ componentType }) => componentType === component.componentType);
        return type === undefined
          ? []
          : planCharts(component.componentId, type).map((plan) => ({
              ...plan,
              title: component.name ?? label(component.componentType),
            }));
      }),
    [wiring],
  );
  const now = useNow(10_000);
  const { history, problem, loading } = useHistory(deviceUuid, plans, state);
  const measured = (plan: ChartPlan) =>
    plan.metrics.some((metric) => history.has(seriesKey(plan.componentId, metric)));
  // What a component never measured here, while it measures other things, needs no empty frame.
  const reporting = new Set(plans.filter(measured).map(({ componentId }) => componentId));
  const shown = plans.filter((plan) => measured(plan) || !reporting.has(plan.componentId));
  if (shown.length === 0) return null;
  const from = spanStart(history, now);
  return (
    <section>
      <h2>Last hour</h2>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="charts">
        {shown.map(({ title, ...plan }) => (
          <Chart
            key={`${plan.componentId}.${plan.unit}`}
            title={title}
            plan={plan}
            series={plan.metrics.map((metric) => history.get(seriesKey(plan.componentId, metric)) ?? [])}
            from={from}
            to={now}
            loading={loading}
          />
        ))}
      </div>
    </section>
  );
}

function useHistory(deviceUuid: string, plans: readonly ChartPlan[], state: StateDocument | undefined) {
  const { client } = usePanel();
  const [history, setHistory] = useState<History>(new Map());
  const [problem, setProblem] = useState<string>();
  const [loading, setLoading] = useState(true);
  const ids = [...new Set(plans.map(({ componentId }) => componentId))].join();
  const online = state?.device_status === 'ONLINE';

  useEffect(() => {
    const over = new AbortController();
    const load = async (from: number) => {
      try {
        const answers = await Promise.all(
          ids.split(',').map((componentId) =>
            client.telemetry({
              params: { id: deviceUuid },
              query: {
                componentId: Number(componentId),
                from: new Date(from).toISOString(),
                resolution: 'raw',
                limit: LIMIT,
              },
              signal: over.signal,
            }),
          ),
        );
        const points = answers
          .flatMap((answer) => (answer.resolution === 'raw' ? answer.items : []))
          .map(({ measuredAt, ...reading }) => ({ ...reading, at: Date.parse(measuredAt) }));
        setHistory((held) => mergePoints(held, points, Date.now() - HOUR_MS));
        setProblem(undefined);
        setLoading(false);
      } catch (error) {
        if (!over.signal.aborted) setProblem(problemText(error));
      }
    };
    if (ids !== '') void load(Date.now() - HOUR_MS);
    const timer = setInterval(() => {
      if (ids !== '' && document.visibilityState === 'visible') void load(Date.now() - OVERLAP_MS);
    }, CATCH_UP_MS);
    return () => {
      over.abort();
      clearInterval(timer);
    };
  }, [deviceUuid, ids, online]);

  useEffect(() => {
    if (state === undefined) return;
    const points = state.components.flatMap(({ componentId, metrics }) =>
      Object.entries(metrics).map(([metric, { value, measuredAt }]) => ({
        componentId,
        metric,
        value,
        at: Date.parse(measuredAt),
      })),
    );
    setHistory((held) => mergePoints(held, points, Date.now() - HOUR_MS));
  }, [state]);

  return { history, problem, loading };
}
