import { join } from 'node:path';
import type { WifiSettings } from '@ares/protocol/ble';
import { type BleLink, parseLabel } from '@ares/protocol/ble';
import { type Command, Option } from 'commander';
import type { PairingEvent } from '../../phone/pair.ts';
import { connectWithin, greenhouseWifi, pairVirtualPi } from '../../phone/simulated-phone.ts';
import { CliError } from '../cli-error.ts';
import { piFolder } from '../home.ts';
import { printJson } from '../output.ts';
import type { CliContext } from '../program.ts';
import { openSecretInput, type SecretInput } from './secret-input.ts';

const FIND_WITHIN_MS = 30_000;

interface Options {
  readonly setupCode?: string;
  readonly bluetooth?: boolean;
  readonly socket?: string;
  readonly ssid?: string;
  readonly open?: boolean;
  readonly keepNetwork?: boolean;
}

/** `ares pair`: what a phone does. */
export function pairCommand(program: Command, context: CliContext): void {
  program
    .command('pair')
    .description(
      'become the owner of a device over Bluetooth; the setup code of its label, or the content of its QR code, is asked for (or ARES_SETUP_CODE)',
    )
    .addOption(new Option('--setup-code <code>').hideHelp())
    .option('--bluetooth', 'by the Bluetooth adapter of this computer, for a real device')
    .option('--socket <path>', 'radio of the simulated device (default: the one of npm start)')
    .option('--ssid <name>', 'Wi-Fi that the device shall join (default: the one of the virtual Pi)')
    .option('--open', 'that Wi-Fi has no password (default: ARES_WIFI_PASSWORD, or asked for)')
    .option('--keep-network', 'the device has its network already, by cable for instance')
    .action(async (options: Options) => {
      const secrets = openSecretInput({ signal: context.signal });
      const { setupCode, wifi } = await ask(options, secrets).finally(secrets.close);
      const label = /^ARES:/i.test(setupCode) ? parseLabel(setupCode) : undefined;
      const { client } = await context.signIn();
      const deviceUuid = await pairVirtualPi({
        link: await connect(options, context, label?.uuid),
        setupCode: label?.setupCode ?? setupCode,
        ...(label !== undefined && { expectedUuid: label.uuid }),
        client,
        wifi,
        // Something must be measured for a first reading; every Pi has a processor.
        components: [{ componentType: 'cpu' }],
        onEvent: (event) => {
          if (!context.json()) console.log(describePairing(event));
        },
      });
      if (context.json()) return printJson({ deviceUuid, paired: true });
      console.log(`${deviceUuid} is yours. See: npm run ares -- device state ${deviceUuid.slice(0, 8)}`);
    });
}

/** Everything that is not to be read in the arguments, in the order of a person's questions. */
async function ask(
  { setupCode, ssid, open, keepNetwork }: Options,
  secrets: SecretInput,
): Promise<{ setupCode: string; wifi: WifiSettings | undefined }> {
  if (setupCode !== undefined && setupCode !== '-')
    throw new CliError(
      'A setup code in the arguments can be read by every user of this computer. Leave --setup-code out: it is asked for, read from standard input, or taken from ARES_SETUP_CODE.',
    );
  if (keepNetwork === true && ssid !== undefined)
    throw new CliError('Give --ssid or --keep-network, not both.');
  const code = await secrets.setupCode();
  if (keepNetwork === true) return { setupCode: code, wifi: undefined };
  if (ssid === undefined) return { setupCode: code, wifi: greenhouseWifi };
  const wifi = open === true ? { ssid } : { ssid, password: await secrets.wifiPassword(ssid) };
  return { setupCode: code, wifi };
}

async function connect(options: Options, context: CliContext, deviceUuid?: string): Promise<BleLink> {
  if (options.bluetooth !== true)
    // As a phone that looks around: a device that was just reset takes a moment to open its radio.
    return connectWithin(options.socket ?? join(piFolder(context.home), 'ble.sock'), FIND_WITHIN_MS);
  const { connectBluetooth } = await import('../../adapters/noble-ble-central.ts');
  return connectBluetooth({ ...(deviceUuid !== undefined && { deviceUuid }), timeoutMs: FIND_WITHIN_MS });
}

/** One line per event for a person. */
function describePairing(event: PairingEvent): string {
  switch (event.event) {
    case 'connected':
      return `Bluetooth: encrypted session with ${event.deviceUuid}`;
    case 'identified':
      return `Identity: board ${event.identity.cpuSerial}, ${event.identity.hardwareVersion}`;
    case 'claimed':
      return `Claim ${event.claimId}, open until ${event.expiresAt}`;
    case 'step': {
      const { step, result, code, detail } = event.report;
      return [`Device: ${step}`, result, code, detail].filter(Boolean).join(' ');
    }
  }
}
