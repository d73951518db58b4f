import type { CloudDatabase } from '../ports/database.ts';
import { isOwn } from './own-assignments.ts';

/** Whose readings of a device. `userId` limits it to what is or was that person's; `undefined` is for administrators. */
export interface SeriesScope {
  readonly deviceId: number;
  readonly userId: number | undefined;
}

export interface SeriesFilter {
  readonly componentType?: string | undefined;
  readonly componentId?: number | undefined;
  readonly metric?: string | undefined;
}

/** What rows name by numbers. */
export interface KnownSeries {
  readonly componentIds: readonly number[];
  readonly metricIds: readonly number[];
  nameOf(row: { readonly componentId: number; readonly metricId: number }): SeriesName;
}

export interface SeriesName {
  readonly componentId: number;
  readonly componentType: string;
  readonly metric: string;
  readonly unit: string;
}

/** Components and metrics that the scope may see of a device, also those that are detached. */
export async function knownSeries(
  { db }: Pick<CloudDatabase, 'db'>,
  scope: SeriesScope,
  filter: SeriesFilter,
): Promise<KnownSeries> {
  const rows = await db
    .selectFrom('attached_components as c')
    .innerJoin('supported_components as s', 's.id', 'c.component_type_id')
    .innerJoin('metrics as m', 'm.component_type_id', 's.id')
    .where('c.device_id', '=', scope.deviceId)
    .$if(scope.userId !== undefined, (q) => q.where(isOwn('c.assignment_id', scope.userId ?? -1)))
    .$if(filter.componentType !== undefined, (q) =>
      q.where('s.component_type', '=', filter.componentType ?? ''),
    )
    .$if(filter.componentId !== undefined, (q) => q.where('c.id', '=', filter.componentId ?? -1))
    .$if(filter.metric !== undefined, (q) => q.where('m.metric', '=', filter.metric ?? ''))
    .select([
      'c.id as componentId',
      's.component_type as componentType',
      's.definition',
      'm.id as metricId',
      'm.metric',
    ])
    .execute();
  const names = new Map(
    rows.map(({ componentId, componentType, definition, metricId, metric }): [string, SeriesName] => [
      `${componentId}/${metricId}`,
      {
        componentId,
        componentType,
        metric,
        unit: definition.metrics.find((one) => one.metric === metric)?.unit ?? '1',
      },
    ]),
  );
  return {
    componentIds: [...new Set(rows.map(({ componentId }) => componentId))],
    metricIds: [...new Set(rows.map(({ metricId }) => metricId))],
    nameOf: ({ componentId, metricId }) =>
      names.get(`${componentId}/${metricId}`) ?? {
        componentId,
        componentType: '',
        metric: '',
        unit: '1',
      },
  };
}
