import { isUuid } from '@ares/protocol';
import { allItems } from '@ares/protocol/http';
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { findDevice } from '../find-device.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

const interventions = {
  block: { call: 'blockDevice', what: 'shut the device out at once', done: 'is blocked' },
  unblock: { call: 'unblockDevice', what: 'let a blocked device in again', done: 'is let in again' },
  'lift-quarantine': {
    call: 'liftQuarantine',
    what: 'trust a quarantined device again',
    done: 'is out of quarantine',
  },
} as const;

/** `ares device block|unblock|lift-quarantine|security-events` */
export function interventionCommands(device: Command, context: CliContext): void {
  for (const [name, { call, what, done }] of Object.entries(interventions)) {
    device
      .command(`${name} <id>`)
      .description(what)
      .requiredOption('--reason <text>', 'why; it is kept in the audit log')
      .action(async (id: string, { reason }: { reason: string }) => {
        const { client } = await context.signIn('administrator');
        const { deviceUuid } = await findDevice(client, id);
        await client[call]({ params: { id: deviceUuid }, body: { reason } });
        if (context.json()) return printJson({ deviceUuid, action: name, reason });
        console.log(`${deviceUuid} ${done}.`);
      });
  }

  device
    .command('force-uuid <id> <uuid>')
    .description(
      'give a device that was registered under a wrong UUID its right one, before anybody claims it',
    )
    .requiredOption('--reason <text>', 'why; it is kept in the audit log')
    .action(async (id: string, wanted: string, { reason }: { reason: string }) => {
      if (!isUuid(wanted)) throw new CliError(`${wanted} is no UUID in lower case.`);
      const { client } = await context.signIn('administrator');
      const { deviceUuid: before } = await findDevice(client, id);
      const body = { deviceUuid: wanted, reason };
      const { deviceUuid } = await client.forceUuid({ params: { id: before }, body });
      if (context.json()) return printJson({ before, deviceUuid, reason });
      console.log(`${before} is ${deviceUuid} now.`);
    });

  device
    .command('security-events <id>')
    .description('what happened to the device that somebody should look at, newest first')
    .option('--code <code>', 'only of this kind')
    .action(async (id: string, { code }: { code?: string }) => {
      const { client } = await context.signIn('administrator');
      const { deviceUuid } = await findDevice(client, id);
      const params = { id: deviceUuid };
      const { items } = await client.listSecurityEvents({ params, query: { code, limit: 100 } });
      if (context.json()) return printJson({ items });
      printRows(
        items.map(({ at, code: found, detail }) => ({ at, code: found, detail })),
        'Nothing happened.',
      );
    });
}

/** `ares alerts …` */
export function alertCommands(program: Command, context: CliContext): void {
  const alerts = program.command('alerts').description('what somebody should look at');

  alerts
    .command('list', { isDefault: true })
    .description('alerts, newest first')
    .option('--all', 'also those that are resolved')
    .addOption(new Option('--kind <kind>', 'only of this kind'))
    .action(async ({ all, kind }: { all?: boolean; kind?: string }) => {
      const { client } = await context.signIn('administrator');
      const items = await allItems((cursor) =>
        client.listAlerts({ query: { open: all === true ? undefined : 'true', kind, cursor, limit: 200 } }),
      );
      if (context.json()) return printJson({ items });
      const rows = items.map(({ alertId, at, kind: found, deviceUuid, resolvedAt, resolution }) => ({
        id: alertId,
        at,
        kind: found,
        device: deviceUuid,
        ...(all === true && { resolvedAt, resolution }),
      }));
      printRows(rows, 'No alerts.');
    });

  alerts
    .command('test')
    .description(
      'raise an alert of the kind TEST, to see that it is listed and mailed to whoever should hear of it',
    )
    .option('--device <id>', 'about this device: its owner sees it too')
    .option('--note <text>', 'what it says; the owner does not see this')
    .action(async ({ device: id, note }: { device?: string; note?: string }) => {
      const { client } = await context.signIn('administrator');
      const device = id === undefined ? undefined : await findDevice(client, id);
      const body = {
        ...(device !== undefined && { deviceUuid: device.deviceUuid }),
        ...(note !== undefined && { note }),
      };
      const alert = await client.testAlert({ body });
      if (context.json()) return printJson(alert);
      const also = device === undefined ? '' : `, and the owner of ${device.deviceUuid}`;
      console.log(
        `Alert ${alert.alertId} is raised: administrators see it${also}. Then: ares alerts resolve ${alert.alertId} --how "a test"`,
      );
    });

  alerts
    .command('resolve <alertId>')
    .description('say that an alert was dealt with')
    .requiredOption('--how <text>', 'what was done; it is kept')
    .action(async (alertId: string, { how }: { how: string }) => {
      const { client } = await context.signIn('administrator');
      const alert = await client.resolveAlert({ params: { alertId }, body: { resolution: how } });
      if (context.json()) return printJson(alert);
      console.log(`Alert ${alert.alertId} (${alert.kind}) is resolved.`);
    });
}
