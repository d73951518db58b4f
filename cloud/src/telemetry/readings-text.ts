import type { TextFormat } from '@ares/protocol/http';
import { csvLine } from '../http/csv.ts';
import type { FoundBucket, FoundReading, FoundStream } from './query-service.ts';

const series = ['componentId', 'componentType', 'metric', 'unit'] as const;
const rawColumns = ['measuredAt', ...series, 'value', 'timeEstimated', 'quality'] as const;
const rolledColumns = ['start', ...series, 'min', 'avg', 'max', 'count'] as const;

/** Readings or roll-ups as CSV with a line of names, or as one JSON object a line; a piece for each batch. */
export async function* readingsText(found: FoundStream, format: TextFormat): AsyncGenerator<string> {
  const columns: readonly string[] = found.resolution === 'raw' ? rawColumns : rolledColumns;
  if (format === 'csv') yield csvLine(columns);
  for await (const batch of found.batches)
    yield batch
      .map((item) => (format === 'csv' ? csvLine(cellsOf(item, columns)) : `${JSON.stringify(item)}\n`))
      .join('');
}

function cellsOf(item: FoundReading | FoundBucket, columns: readonly string[]) {
  const cells = item as unknown as Readonly<Record<string, string | number | boolean>>;
  return columns.map((column) => cells[column] ?? '');
}
