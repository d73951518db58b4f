import type { Resolution, SeriesPosition, SeriesRow } from './series.ts';

const HOUR_MS = 3_600_000;
/** Rows are indexed by device and by rough time: a window that holds about a batch is found with little reading. */
const FIRST_WINDOW_MS: Readonly<Record<Resolution, number>> = {
  raw: HOUR_MS,
  minute: 24 * HOUR_MS,
  hour: 720 * HOUR_MS,
  day: 8_760 * HOUR_MS,
};
const WIDER = 6;
/** Fewer rows than this part of a batch, and the next window is wider. */
const SPARSE = 1 / 4;

/**
 * The rows of a range in batches of bounded size, window by window; nothing is held open between two batches.
 * @param read rows of a window, at most `limit`, after the position
 */
export async function* walkSeries(options: {
  readonly resolution: Resolution;
  readonly order: 'asc' | 'desc';
  /** Epoch ms, inclusive. */
  readonly from: number;
  /** Epoch ms, exclusive. */
  readonly to: number;
  readonly after: SeriesPosition | undefined;
  readonly batch: number;
  readonly read: (
    window: { readonly from: number; readonly to: number; readonly limit: number },
    after: SeriesPosition | undefined,
  ) => Promise<readonly SeriesRow[]>;
}): AsyncGenerator<readonly SeriesRow[]> {
  const { order, batch, read } = options;
  let { from, to, after } = options;
  if (after !== undefined) {
    if (order === 'asc') from = Math.max(from, after.time);
    else to = Math.min(to, after.time + 1);
  }
  let width = FIRST_WINDOW_MS[options.resolution];
  while (from < to) {
    const window =
      order === 'asc' ? { from, to: Math.min(to, from + width) } : { from: Math.max(from, to - width), to };
    const rows = await read({ ...window, limit: batch }, after);
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last !== undefined) after = { time: last.time.getTime(), tie: last.tie };
    if (rows.length === batch && last !== undefined) {
      // There may be more in it.
      if (order === 'asc') from = last.time.getTime();
      else to = last.time.getTime() + 1;
      continue;
    }
    if (order === 'asc') from = window.to;
    else to = window.from;
    if (rows.length < batch * SPARSE) width *= WIDER;
  }
}
