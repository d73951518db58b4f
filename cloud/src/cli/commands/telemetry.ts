import { isUuid } from '@ares/protocol';
import type { Command } from 'commander';
import { findDevice } from '../find-device.ts';
import { printJson, printRows, valueText } from '../output.ts';
import type { CliContext } from '../program.ts';

interface Options {
  readonly type?: string;
  readonly metric?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
}

/** `ares telemetry ID` */
export function telemetryCommand(program: Command, context: CliContext): void {
  program
    .command('telemetry <id>')
    .description('stored readings, newest first')
    .option('--type <componentType>', 'only of this component type')
    .option('--metric <metric>', 'only this metric')
    .option('--from <time>', 'ISO 8601')
    .option('--to <time>', 'ISO 8601')
    .option('--limit <number>', 'at most so many', Number, 20)
    .action(async (id: string, { type, metric, from, to, limit }: Options) => {
      const { client } = await context.signIn();
      // By its whole id also one that was given away: what was measured until then stays readable.
      const deviceUuid = isUuid(id) ? id : (await findDevice(client, id)).deviceUuid;
      const { items } = await client.telemetry({
        params: { id: deviceUuid },
        query: {
          limit,
          ...(type !== undefined && { componentType: type }),
          ...(metric !== undefined && { metric }),
          ...(from !== undefined && { from }),
          ...(to !== undefined && { to }),
        },
      });
      if (context.json()) return printJson({ items });
      const rows = items.map((reading) => ({
        measured: reading.measuredAt,
        component: `${reading.componentType} (${reading.componentId})`,
        metric: reading.metric,
        value: valueText(reading.value, reading.unit),
      }));
      printRows(rows, 'No readings yet.');
    });
}
