import { isUuid } from '@ares/protocol';
import { fetchText, type TextFormat } from '@ares/protocol/http';
import { type Command, Option } from 'commander';
import { fetch } from 'undici';
import { findDevice } from '../find-device.ts';
import { printJson, printRows, valueText } from '../output.ts';
import type { CliContext } from '../program.ts';

interface Options {
  readonly type?: string;
  readonly component?: number;
  readonly metric?: string;
  readonly from?: string;
  readonly to?: string;
  readonly resolution?: 'raw' | 'minute' | 'hour' | 'day';
  readonly oldestFirst?: boolean;
  readonly format?: TextFormat;
  readonly limit: number;
}

/** `ares telemetry ID` and `ares quarantined-readings` */
export function telemetryCommand(program: Command, context: CliContext): void {
  program
    .command('telemetry <id>')
    .description(
      'stored readings, or their minimum, mean and maximum by minutes, hours or days; newest first',
    )
    .option('--type <componentType>', 'only of this component type')
    .option('--component <id>', 'only of this component', Number)
    .option('--metric <metric>', 'only this metric')
    .option('--from <time>', 'ISO 8601')
    .option('--to <time>', 'ISO 8601')
    .addOption(
      new Option(
        '--resolution <resolution>',
        'raw, or rolled up; without it the finest that is still kept',
      ).choices(['raw', 'minute', 'hour', 'day']),
    )
    .option('--oldest-first', 'the other way round')
    .addOption(
      new Option('--format <format>', 'everything as a stream of text, without a limit').choices([
        'csv',
        'ndjson',
      ]),
    )
    .option('--limit <number>', 'at most so many', Number, 20)
    .action(async (id: string, options: Options) => {
      const { client, url, headers } = await context.signIn();
      // By its whole id also one that was given away: what was measured until then stays readable.
      const deviceUuid = isUuid(id) ? id : (await findDevice(client, id)).deviceUuid;
      const query = queryOf(options);
      const params = { id: deviceUuid };
      if (options.format !== undefined) {
        const accessToken = () => headers['authorization']?.replace('Bearer ', '');
        const pieces = await fetchText({ baseUrl: url, fetch, accessToken }, 'telemetry', options.format, {
          params,
          query,
          signal: context.signal,
        });
        for await (const piece of pieces) await written(piece);
        return;
      }
      const found = await client.telemetry({ params, query: { ...query, limit: options.limit } });
      if (context.json()) return printJson(found);
      if (found.resolution !== 'raw') {
        const rows = found.items.map(({ start, unit, min, avg, max, count, ...series }) => ({
          [found.resolution]: start,
          component: `${series.componentType} (${series.componentId})`,
          metric: series.metric,
          min: valueText(min, unit),
          mean: valueText(Number(avg.toPrecision(6)), unit),
          max: valueText(max, unit),
          count,
        }));
        return printRows(rows, 'Nothing is rolled up yet: that takes up to two minutes.');
      }
      const rows = found.items.map((reading) => ({
        measured: reading.measuredAt,
        component: `${reading.componentType} (${reading.componentId})`,
        metric: reading.metric,
        value: valueText(reading.value, reading.unit),
      }));
      printRows(rows, 'No readings yet.');
    });

  program
    .command('quarantined-readings')
    .description(
      'readings that were not stored: for their time, or because the database would not; newest first',
    )
    .option('--device <id>', 'only of this device')
    .addOption(new Option('--reason <reason>').choices(['CLOCK', 'TOO_OLD', 'NO_PARTITION', 'NOT_STORABLE']))
    .option('--limit <number>', 'at most so many', Number, 20)
    .action(async ({ device, reason, limit }: QuarantineOptions) => {
      const { client } = await context.signIn('administrator');
      const deviceUuid =
        device === undefined || isUuid(device) ? device : (await findDevice(client, device)).deviceUuid;
      const page = await client.quarantinedReadings({
        query: { limit, ...(deviceUuid && { deviceUuid }), ...(reason && { reason }) },
      });
      if (context.json()) return printJson(page);
      printRows(
        page.items.map(({ bootId: _, measuredAtMs, ...row }) => ({
          ...row,
          claimed: timeText(measuredAtMs),
        })),
        'No reading is in quarantine.',
      );
    });
}

interface QuarantineOptions {
  readonly device?: string;
  readonly reason?: 'CLOCK' | 'TOO_OLD' | 'NO_PARTITION' | 'NOT_STORABLE';
  readonly limit: number;
}

function queryOf({ type, component, metric, from, to, resolution, oldestFirst }: Options) {
  return {
    ...(type !== undefined && { componentType: type }),
    ...(component !== undefined && { componentId: component }),
    ...(metric !== undefined && { metric }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(resolution !== undefined && { resolution }),
    ...(oldestFirst === true && { order: 'asc' as const }),
  };
}

/** No faster than the reader behind a pipe takes it. */
function written(text: string): Promise<void> {
  return new Promise((done) => process.stdout.write(text, () => done()));
}

/** A claimed time may be none: what is no date stays a number. */
function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
