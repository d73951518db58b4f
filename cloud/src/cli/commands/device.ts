import { describeIssues, parseRegistrationLine, type StateDocument } from '@ares/protocol';
import type { Client } from '@ares/protocol/http';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { readEvents } from '../event-stream.ts';
import { findDevice } from '../find-device.ts';
import { parseDuration, printJson, printRows, valueText } from '../output.ts';
import type { CliContext } from '../program.ts';
import { bindingCommands } from './bindings.ts';
import { deviceListCommand } from './device-list.ts';
import { openSecretInput } from './secret-input.ts';
import { sharingCommands } from './sharing.ts';
import { interventionCommands } from './supervision.ts';

/** `ares device …` */
export function deviceCommands(program: Command, context: CliContext): void {
  const device = program.command('device').description('devices, their state and commands');

  deviceListCommand(device, context);
  sharingCommands(device, context);
  bindingCommands(device, context);
  interventionCommands(device, context);

  device
    .command('state <id>')
    .description('the live state')
    .option('--watch', 'follow until Ctrl-C')
    .action(async (id: string, options: { watch?: boolean }) => {
      const session = await context.signIn();
      const { deviceUuid } = await findDevice(session.client, id);
      printState(
        (await session.client.state({ params: { id: deviceUuid } })) as StateDocument,
        context.json(),
      );
      if (options.watch !== true) return;
      for await (const state of readEvents(session, `/api/devices/${deviceUuid}/events`, context.signal)) {
        printState(state as StateDocument, context.json());
      }
    });

  device
    .command('command <id> <component> <action>')
    .description('tell a component (type, or number of the component) to act, e.g. pump on --for 10s')
    .option('--for <duration>', 'how long an output stays on', parseDuration)
    .option('--ttl <duration>', 'how long the command may still begin', parseDuration, 30_000)
    .option('--wait <duration>', 'how long to wait for the outcome', parseDuration, 5_000)
    .action(
      async (
        id: string,
        component: string,
        action: string,
        options: { for?: number; ttl: number; wait: number },
      ) => {
        const { client } = await context.signIn();
        const { deviceUuid } = await findDevice(client, id);
        const answer = await client.sendCommand({
          params: { id: deviceUuid },
          query: { wait: options.wait / 1_000 },
          body: {
            ...(/^\d+$/.test(component) ? { componentId: Number(component) } : { componentType: component }),
            action,
            args: options.for === undefined ? {} : { durationMs: options.for },
            ttlSeconds: options.ttl / 1_000,
          },
        });
        printOutcome(answer, context.json());
      },
    );

  device
    .command('commands <id>')
    .description('the latest commands and how they ended')
    .action(async (id: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const { items } = await client.listCommands({ params: { id: deviceUuid } });
      if (context.json()) return printJson({ items });
      const rows = items.map(({ createdAt, componentType, action, args, status, code }) => ({
        createdAt,
        component: componentType,
        action,
        args,
        status,
        code,
      }));
      printRows(rows, 'No commands yet.');
    });

  device
    .command('wifi <id>')
    .description('move the device to another Wi-Fi; it stays where it is unless it reaches the cloud there')
    .requiredOption('--ssid <name>', 'name of the network')
    .option('--open', 'the network has no password (default: ARES_WIFI_PASSWORD, or asked for)')
    .option('--ttl <duration>', 'how long the device may still begin', parseDuration, 60_000)
    .option('--wait <duration>', 'how long to wait for the outcome', parseDuration, 90_000)
    .action(async (id: string, options: { ssid: string; open?: boolean; ttl: number; wait: number }) => {
      const { ssid } = options;
      const secrets = openSecretInput({ signal: context.signal });
      const password =
        options.open === true ? undefined : await secrets.wifiPassword(ssid).finally(secrets.close);
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const answer = await client.changeWifi({
        params: { id: deviceUuid },
        query: { wait: options.wait / 1_000 },
        body: { ssid, ttlSeconds: options.ttl / 1_000, ...(password !== undefined && { password }) },
      });
      printOutcome(answer, context.json());
    });

  device
    .command('unlink <id>')
    .description('give the device away: it forgets everything of its owner')
    .action(async (id: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      await client.unlink({ params: { id: deviceUuid } });
      if (context.json()) return printJson({ deviceUuid, unlinked: true });
      console.log(`${deviceUuid} is no longer yours. It wipes itself now and can be claimed again.`);
    });

  device
    .command('nickname <id> <name>')
    .description('name the device')
    .action(async (id: string, nickname: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const named = await client.setNickname({ params: { id: deviceUuid }, body: { nickname } });
      if (context.json()) return printJson(named);
      console.log(`${deviceUuid} is now called ${nickname}.`);
    });

  device
    .command('preregister <line>')
    .description('register a device by the line that ares-agent factory-init printed')
    .action(async (line: string) => {
      const parsed = parseRegistrationLine(line);
      if (!parsed.ok) throw new CliError(describeIssues(parsed.issues));
      const { client } = await context.signIn('administrator');
      const answer = await client.preregister({ body: parsed.value });
      if (context.json()) return printJson(answer);
      console.log(`${answer.deviceUuid} is registered and can be claimed.`);
    });
}

type Outcome = Awaited<ReturnType<Client['sendCommand']>>;

/** How a command ended, and with it this program. */
function printOutcome(answer: Outcome, json: boolean): void {
  if (json) {
    printJson(answer);
  } else if (!('status' in answer)) {
    console.log(`${answer.commandId}: sent, no answer yet`);
  } else {
    const { commandId, status, code, detail, leaseEndsAt } = answer;
    console.log([`${commandId}: ${status}`, code, detail].filter(Boolean).join(' '));
    if (leaseEndsAt !== undefined) console.log(`switches itself off at ${leaseEndsAt}`);
    if (status !== 'COMPLETED' && status !== 'PENDING') process.exitCode = 1;
  }
}

function printState(state: StateDocument, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(state));
    return;
  }
  console.log(
    `${state.nickname ?? state.deviceUuid}  ${state.device_status}  last seen ${state.lastSeen ?? 'never'}`,
  );
  const rows = state.components.map(({ componentId, componentType, status, reason, metrics }) => ({
    component: `${componentType} (${componentId})`,
    status: reason === undefined ? status : `${status}: ${reason}`,
    values:
      Object.entries(metrics)
        .map(([metric, { value, unit }]) => `${metric} ${valueText(value, unit)}`)
        .join(', ') || '-',
  }));
  printRows(rows, 'No components yet. Attach one: npm run ares -- component add --help');
}
