import type { Command } from 'commander';
import type { MqttTools } from '../../compose-monitor.ts';
import { readConfig } from '../../config.ts';
import type { Seen } from '../../monitor/types.ts';
import { CliError } from '../cli-error.ts';
import { parseDuration, printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

type Run = <T>(name: 'ares-monitor' | 'ares-operator', work: (tools: MqttTools) => Promise<T>) => Promise<T>;

/** `ares mqtt …`, by broker, database and secrets of this machine. */
export function mqttCommands(program: Command, context: CliContext, run: Run = onThisMachine): void {
  const mqtt = program
    .command('mqtt')
    .description('what goes through the broker; on the machine of the cloud, with its settings');

  mqtt
    .command('monitor')
    .description(
      'print each message decoded, with whether its MAC or signature fits, until Ctrl-C; it can only read, and what is sealed for a device stays sealed',
    )
    .option('--device <id>', 'only what concerns this device')
    .option('--for <duration>', 'end after so long, e.g. 30s', parseDuration)
    .option('--count <number>', 'end after so many messages', wholeNumber)
    .action(async (options: { device?: string; for?: number; count?: number }) => {
      const { count } = options;
      const signal =
        options.for === undefined
          ? context.signal
          : AbortSignal.any([context.signal, AbortSignal.timeout(options.for)]);
      const verdicts = new Map<string, { messages: number; bytes: number }>();
      const show = (seen: Seen) => {
        const sum = verdicts.get(seen.verdict) ?? { messages: 0, bytes: 0 };
        verdicts.set(seen.verdict, { messages: sum.messages + 1, bytes: sum.bytes + seen.bytes });
        console.log(context.json() ? printable(JSON.stringify(toJson(seen))) : toLine(seen));
      };
      const { dropped } = await run('ares-monitor', async (tools) => {
        const deviceUuid = options.device === undefined ? undefined : await one(tools, options.device);
        return tools.watch({
          deviceUuid,
          count,
          signal,
          show,
          listening: () => console.error(`Listening to ${deviceUuid ?? 'all devices'}. Ctrl-C ends it.`),
        });
      });
      if (dropped > 0) console.error(`${dropped} messages came too fast and are not shown.`);
      if (context.json()) return;
      console.log('');
      printRows(
        [...verdicts].map(([verdict, sum]) => ({ verdict, ...sum })),
        'Nothing was said.',
      );
    });

  mqtt
    .command('publish-test')
    .description(
      'send a message through the broker to oneself, on a topic that no device and no app hears, and tell the round trip; with a MAC of the device, for monitor to check',
    )
    .requiredOption('--device <id>', 'whose name the message has')
    .action(async ({ device }: { device: string }) => {
      const trip = await run('ares-operator', async (tools) => tools.roundTrip(await one(tools, device)));
      if (context.json()) return printJson(trip);
      printRows([{ ...trip, roundTripMs: `${trip.roundTripMs} ms` }], '');
      console.log('Nothing was changed.');
    });

  mqtt
    .command('publish-offline')
    .description(
      'say in the device’s name that its connection is lost, as its last will does, to see the cloud believe it; it is audited, and then the device is made to connect anew',
    )
    .requiredOption('--device <id>', 'which; it must be connected')
    .requiredOption('--reason <text>', 'why; it is kept in the audit log')
    .option('--no-reconnect', 'leave it shown as OFFLINE until it connects anew by itself')
    .action(async (options: { device: string; reason: string; reconnect: boolean }) => {
      const reason = options.reason.trim();
      if (reason === '' || reason.length > 500) throw new CliError('--reason takes 1 to 500 characters.');
      const { reconnect } = options;
      const test = await run('ares-operator', async (tools) =>
        tools.offline(await one(tools, options.device), { reason, reconnect }),
      );
      if (context.json()) return printJson(test);
      printRows([{ ...test, tookMs: `${test.tookMs} ms` }], '');
      console.log(
        reconnect
          ? 'The device was told to connect anew. The audit log has device.offline-test.'
          : 'The device stays OFFLINE for the cloud until it connects anew. The audit log has device.offline-test.',
      );
    });
}

async function onThisMachine<T>(
  name: 'ares-monitor' | 'ares-operator',
  work: (tools: MqttTools) => Promise<T>,
): Promise<T> {
  // Loaded here: no other command needs what reaches a broker.
  const { withMqttTools } = await import('../../compose-monitor.ts');
  const { TrialError } = await import('../../monitor/trials.ts');
  try {
    return await withMqttTools(readConfig('all', process.env), name, (text) => console.error(text), work);
  } catch (error) {
    throw error instanceof TrialError ? new CliError(error.message, { cause: error }) : error;
  }
}

async function one(tools: Pick<MqttTools, 'find'>, wanted: string): Promise<string> {
  const found = await tools.find(wanted.trim());
  if (found.length === 1) return found[0]!;
  if (found.length > 1) throw new CliError(`${wanted} fits several devices. Write more of the id.`);
  throw new CliError(`No device ${wanted}.`);
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new CliError(`${text} is no number of messages.`);
  return Number(text);
}

const toJson = ({ at, ...seen }: Seen) => ({ at: new Date(at).toISOString(), ...seen });

function toLine({ at, verdict, kind, from, deviceUuid, topic, bytes, kid, detail }: Seen): string {
  return printable(
    [
      new Date(at).toISOString().slice(11, 23),
      verdict.padEnd(12),
      (kind ?? topic).padEnd(17),
      (from ?? '?').padEnd(8),
      deviceUuid ?? '-',
      `${bytes} B`.padStart(8),
      kid === undefined || kid.length > 12 ? '' : kid,
      detail,
    ].join(' '),
  ).trimEnd();
}

/** What a stranger said must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
