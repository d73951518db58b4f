import { join } from 'node:path';
import type { Command } from 'commander';
import { connectSimulatedBle } from '../../adapters/simulated-ble-central.ts';
import type { PairingEvent } from '../../phone/pair.ts';
import { greenhouseWifi, pairVirtualPi } from '../../phone/simulated-phone.ts';
import { piFolder } from '../home.ts';
import { printJson } from '../output.ts';
import type { CliContext } from '../program.ts';

interface Options {
  readonly setupCode: string;
  readonly socket?: string;
  readonly ssid?: string;
  readonly wifiPassword?: string;
}

/** `ares pair`: what a phone does. */
export function pairCommand(program: Command, context: CliContext): void {
  program
    .command('pair')
    .description('become the owner of a device over (simulated) Bluetooth')
    .requiredOption('--setup-code <code>', 'from the label of the device')
    .option('--socket <path>', 'radio of the simulated device (default: the one of npm start)')
    .option('--ssid <name>', 'Wi-Fi that the device shall join (default: the one of the virtual Pi)')
    .option('--wifi-password <password>', 'its password')
    .action(async (options: Options) => {
      const { client } = await context.signIn();
      const deviceUuid = await pairVirtualPi({
        link: await connectSimulatedBle(options.socket ?? join(piFolder(context.home), 'ble.sock')),
        setupCode: options.setupCode,
        client,
        wifi:
          options.ssid === undefined
            ? greenhouseWifi
            : {
                ssid: options.ssid,
                ...(options.wifiPassword !== undefined && { password: options.wifiPassword }),
              },
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
