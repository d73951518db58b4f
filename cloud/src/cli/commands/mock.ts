import { formatRegistrationLine, type Registration } from '@ares/protocol';
import type { Client } from '@ares/protocol/http';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { drawMockDevice, registerWithFreshUuid, saveMockDevice } from '../mock-device.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

interface Options {
  readonly count: number;
  readonly hardware: string;
  readonly register?: boolean;
  readonly uuid?: string;
}

const MOST = 1_000;

/** `ares mock …`: devices without hardware, for those who build against the cloud. */
export function mockCommands(program: Command, context: CliContext): void {
  program
    .command('mock')
    .description('make devices on paper and register them; their identity keys are kept in the folder "mock"')
    .option('--count <number>', `how many (1 to ${MOST})`, Number, 1)
    .option('--hardware <version/variant>', 'what boards they are', 'pi-4/standard')
    .option('--uuid <uuid>', 'wanted UUID of the first; a new one is drawn when another device has it')
    .option('--register', 'as a developer does, instead of the factory: POST /api/devices')
    .action(async ({ count, hardware, register, uuid }: Options) => {
      if (!Number.isInteger(count) || count < 1 || count > MOST)
        throw new CliError(`--count takes a whole number from 1 to ${MOST}.`);
      const [hardwareVersion, hardwareVariant, ...more] = hardware.split('/');
      if (!hardwareVersion || !hardwareVariant || more.length > 0)
        throw new CliError('--hardware takes a version and a variant, as in pi-4/standard.');
      const { client } = await context.signIn('administrator');
      const made = [];
      for (let n = 0; n < count; n += 1) {
        const drawn = drawMockDevice({ hardwareVersion, hardwareVariant });
        const wanted = n === 0 && uuid !== undefined ? { ...drawn, deviceUuid: uuid } : drawn;
        const device = await registerWithFreshUuid(wanted, ({ identityKeyPem: _, ...body }) =>
          send(client, register === true, body),
        );
        made.push({ ...device, file: await saveMockDevice(context.home, device) });
      }
      if (context.json()) return printJson({ items: made.map(({ identityKeyPem: _, ...device }) => device) });
      printRows(
        made.map(({ deviceUuid, cpuSerial, file }) => ({ device: deviceUuid, serial: cpuSerial, key: file })),
        'None.',
      );
      console.log(`Registered ${made.length}. The line of the first: ${formatRegistrationLine(made[0]!)}`);
    });
}

function send(client: Client, asDeveloper: boolean, body: Registration) {
  return asDeveloper
    ? client.registerDevice({ body: { registrationLine: formatRegistrationLine(body) } })
    : client.preregister({ body });
}
