import { z } from 'zod';
import { decodeCursor, type Page, toPage } from '../http/paging.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { FLAG_SUSPECT, FLAG_TIME_ESTIMATED } from './admission.ts';
import { knownSeries, type SeriesFilter, type SeriesName, type SeriesScope } from './known-series.ts';
import { DAY_MS, type Retention } from './retention.ts';
import { firstBucket, type Resolution, readSeries, type SeriesPosition, type SeriesRow } from './series.ts';
import { walkSeries } from './walk-series.ts';

export interface TelemetryQuery extends SeriesFilter {
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
  /** Absent: the finest that is still kept at `from`; without `from`, raw. */
  readonly resolution?: Resolution | undefined;
  /** Default: newest first. */
  readonly order?: 'asc' | 'desc';
}

export interface FoundReading extends SeriesName {
  readonly measuredAt: string;
  readonly value: number;
  readonly timeEstimated: boolean;
  readonly quality: 'good' | 'suspect';
}

export interface FoundBucket extends SeriesName {
  readonly start: string;
  readonly min: number;
  readonly avg: number;
  readonly max: number;
  readonly count: number;
}

export type FoundPage =
  | ({ readonly resolution: 'raw' } & Page<FoundReading>)
  | ({ readonly resolution: 'minute' | 'hour' | 'day' } & Page<FoundBucket>);

export interface FoundStream {
  readonly resolution: Resolution;
  /** In batches of bounded size; what the scope may see is asked again for each. */
  readonly batches: AsyncIterable<readonly (FoundReading | FoundBucket)[]>;
}

export interface TelemetryQueries {
  /** @throws {ProblemError} INVALID_REQUEST for a cursor of another list */
  page(
    scope: SeriesScope,
    query: TelemetryQuery & { readonly cursor?: string | undefined; readonly limit: number },
  ): Promise<FoundPage>;
  /** Everything, to the end of the range. */
  stream(scope: SeriesScope, query: TelemetryQuery): FoundStream;
}

/** Devices may be a little ahead. */
const AHEAD_MS = 300_000;
const BATCH = 1_000;
const position = z.tuple([z.enum(['raw', 'minute', 'hour', 'day']), z.int(), z.int(), z.int()]);

export function createTelemetryQueries(options: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly clock: Clock;
  readonly retention: Retention;
  /** Rows of a batch of a stream. */
  readonly batch?: number;
}): TelemetryQueries {
  const { database, clock, retention, batch = BATCH } = options;
  const { db } = database;

  const resolutionOf = ({ resolution, from }: TelemetryQuery): Resolution => {
    if (resolution !== undefined) return resolution;
    const age = from === undefined ? 0 : clock.now() - from.getTime();
    if (age <= retention.rawDays * DAY_MS) return 'raw';
    return age <= retention.minuteDays * DAY_MS ? 'minute' : 'hour';
  };
  /** A day more than is promised, for what has not been dropped yet. */
  const oldestOf = async (resolution: Resolution, deviceId: number): Promise<number> => {
    if (resolution === 'raw') return clock.now() - (retention.rawDays + 1) * DAY_MS;
    if (resolution === 'minute') return clock.now() - (retention.minuteDays + 1) * DAY_MS;
    const first = (await firstBucket(db, deviceId)) ?? clock.now();
    return resolution === 'day' ? Math.floor(first / DAY_MS) * DAY_MS : first;
  };
  async function* walk(
    scope: SeriesScope,
    query: TelemetryQuery,
    resolution: Resolution,
    after: SeriesPosition | undefined,
    size: number,
  ): AsyncGenerator<{ row: SeriesRow; item: FoundReading | FoundBucket }[]> {
    const order = query.order ?? 'desc';
    const oldest = await oldestOf(resolution, scope.deviceId);
    let known = await knownSeries(database, scope, query);
    const batches = walkSeries({
      resolution,
      order,
      from: Math.max(query.from?.getTime() ?? oldest, oldest),
      to: Math.min(query.to?.getTime() ?? Number.POSITIVE_INFINITY, clock.now() + AHEAD_MS),
      after,
      batch: size,
      async read(window, from) {
        return await readSeries(db, resolution, { ...known, deviceId: scope.deviceId, order }, window, from);
      },
    });
    for await (const rows of batches) {
      yield rows.map((row) => ({ row, item: toItem(row, known.nameOf(row)) }));
      known = await knownSeries(database, scope, query);
    }
  }

  return {
    async page(scope, query) {
      const cursor = query.cursor === undefined ? undefined : decodeCursor(position, query.cursor);
      // A page goes on as the one before, although the raw window may have passed `from` meanwhile.
      const resolution = query.resolution ?? cursor?.[0] ?? resolutionOf(query);
      const after =
        cursor === undefined ? undefined : { time: cursor[1], tie: [cursor[2], cursor[3]] as const };
      const found: { row: SeriesRow; item: FoundReading | FoundBucket }[] = [];
      for await (const rows of walk(scope, query, resolution, after, query.limit + 1)) {
        found.push(...rows);
        if (found.length > query.limit) break;
      }
      const paged = toPage(found, query.limit, {
        positionOf: ({ row }) => [resolution, row.time.getTime(), ...row.tie],
        toItem: ({ item }) => item,
      });
      return { resolution, ...paged } as FoundPage;
    },
    stream(scope, query) {
      const resolution = resolutionOf(query);
      const batches = async function* () {
        for await (const rows of walk(scope, query, resolution, undefined, batch))
          yield rows.map(({ item }) => item);
      };
      return { resolution, batches: batches() };
    },
  };
}

function toItem(row: SeriesRow, name: SeriesName): FoundReading | FoundBucket {
  if (row.value !== undefined) {
    const flags = row.flags ?? 0;
    return {
      ...name,
      value: row.value,
      measuredAt: row.time.toISOString(),
      timeEstimated: (flags & FLAG_TIME_ESTIMATED) !== 0,
      quality: (flags & FLAG_SUSPECT) !== 0 ? 'suspect' : 'good',
    };
  }
  const { n = 0, min = 0, max = 0, sum = 0 } = row;
  return { ...name, start: row.time.toISOString(), min, avg: sum / n, max, count: n };
}
