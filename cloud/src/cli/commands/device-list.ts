import { allItems, contract, type QueryInputOf } from '@ares/protocol/http';
import { type Command, Option } from 'commander';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

type Query = QueryInputOf<(typeof contract)['listDevices']>;

interface ListOptions {
  readonly presence?: Query['presence'];
  readonly state?: Query['lifeCycle'];
  readonly hardwareVersion?: string;
  readonly hardwareVariant?: string;
  readonly text?: string;
  readonly owner?: string;
  readonly sort?: Query['sort'];
  readonly order?: Query['order'];
}

const choicesOf = (schema: { readonly options: readonly string[] }) => [...schema.options];
const { presence, lifeCycle, sort, order } = contract.listDevices.query.shape;

/** `ares device list …` */
export function deviceListCommand(device: Command, context: CliContext): void {
  device
    .command('list')
    .description('devices that you own or may see; all of them with --as administrator')
    .addOption(new Option('--presence <presence>').choices(choicesOf(presence.unwrap())))
    .addOption(new Option('--state <state>', 'life cycle').choices(choicesOf(lifeCycle.unwrap())))
    .option('--hardware-version <version>')
    .option('--hardware-variant <variant>')
    .option('--text <text>', 'part of nickname, serial or UUID')
    .option('--owner <email>', 'whose devices; for administrators')
    .addOption(new Option('--sort <by>').choices(choicesOf(sort.unwrap())))
    .addOption(new Option('--order <order>').choices(choicesOf(order.unwrap())))
    .action(async ({ state, ...filters }: ListOptions) => {
      const { client } = await context.signIn();
      const items = await allItems((cursor) =>
        client.listDevices({ query: { ...filters, lifeCycle: state, cursor, limit: 200 } }),
      );
      if (context.json()) return printJson({ items });
      const rows = items.map((item) => ({
        id: item.deviceUuid,
        nickname: item.nickname,
        state: item.lifeCycle,
        presence: item.presence,
        hardware: `${item.hardwareVersion}/${item.hardwareVariant}`,
        lastSeen: item.lastSeen,
        role: item.role,
      }));
      const filtered = Object.keys(filters).length > 0 || state !== undefined;
      printRows(
        rows,
        filtered ? 'No device is like that.' : 'No devices yet. Pair one: npm run ares -- pair --help',
      );
    });
}
