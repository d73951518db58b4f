import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { FLAG_SUSPECT, FLAG_TIME_ESTIMATED } from './admission.ts';
import { isOwn } from './own-assignments.ts';

interface ReadingsQuery {
  readonly componentType?: string | undefined;
  readonly componentId?: number | undefined;
  readonly metric?: string | undefined;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
  readonly limit: number;
}

interface FoundReading {
  readonly componentId: number;
  readonly componentType: string;
  readonly metric: string;
  readonly unit: string;
  readonly value: number;
  readonly measuredAt: Date;
  readonly timeEstimated: boolean;
  readonly quality: 'good' | 'suspect';
}

export interface TelemetryQueries {
  /** Newest first. `userId` limits it to assignments that are or were that person's; `undefined` is for administrators. */
  list(
    scope: { readonly deviceId: number; readonly userId: number | undefined },
    query: ReadingsQuery,
  ): Promise<readonly FoundReading[]>;
}

const HOUR_MS = 3_600_000;
/** Raw rows are kept for seven days; a day more for what has not been dropped yet. */
const RAW_MS = 8 * 24 * HOUR_MS;
/** Devices may be a little ahead. */
const AHEAD_MS = 300_000;

export function createTelemetryQueries(options: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly clock: Clock;
}): TelemetryQueries {
  const { db } = options.database;

  const window = (
    scope: { readonly deviceId: number; readonly userId: number | undefined },
    query: ReadingsQuery,
    from: Date,
    to: Date,
    limit: number,
  ) =>
    db
      .selectFrom('telemetry_data as t')
      .innerJoin('attached_components as c', 'c.id', 't.component_id')
      .innerJoin('supported_components as s', 's.id', 'c.component_type_id')
      .innerJoin('metrics as m', 'm.id', 't.metric_id')
      .where('t.device_id', '=', scope.deviceId)
      .where('t.time', '>=', from)
      .where('t.time', '<', to)
      .$if(scope.userId !== undefined, (q) => q.where(isOwn('c.assignment_id', scope.userId ?? -1)))
      .$if(query.componentType !== undefined, (q) =>
        q.where('s.component_type', '=', query.componentType ?? ''),
      )
      .$if(query.componentId !== undefined, (q) => q.where('c.id', '=', query.componentId ?? -1))
      .$if(query.metric !== undefined, (q) => q.where('m.metric', '=', query.metric ?? ''))
      .orderBy('t.time', 'desc')
      .orderBy('t.seq', 'desc')
      .limit(limit)
      .select([
        'c.id as componentId',
        's.component_type as componentType',
        's.definition',
        'm.metric',
        't.value',
        't.time',
        't.flags',
      ])
      .execute();

  return {
    async list(scope, query) {
      const now = options.clock.now();
      const oldest = Math.max(query.from?.getTime() ?? 0, now - RAW_MS);
      let to = Math.min(query.to?.getTime() ?? Number.POSITIVE_INFINITY, now + AHEAD_MS);
      const found: Awaited<ReturnType<typeof window>> = [];
      // Rows are indexed by device and by rough time, not by both: a short window first, as the newest are wanted.
      for (let width = HOUR_MS; to > oldest && found.length < query.limit; width *= 6) {
        const from = Math.max(oldest, to - width);
        found.push(...(await window(scope, query, new Date(from), new Date(to), query.limit - found.length)));
        to = from;
      }
      return found.map(({ definition, time, flags, ...reading }) => ({
        ...reading,
        unit: definition.metrics.find(({ metric }) => metric === reading.metric)?.unit ?? '1',
        measuredAt: time,
        timeEstimated: (flags & FLAG_TIME_ESTIMATED) !== 0,
        quality: (flags & FLAG_SUSPECT) !== 0 ? 'suspect' : 'good',
      }));
    },
  };
}
