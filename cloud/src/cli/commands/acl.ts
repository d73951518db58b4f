import type { Command } from 'commander';
import { deviceAcl, serviceAcl } from '../../broker/acl.ts';
import { CliError } from '../cli-error.ts';
import { printJson } from '../output.ts';
import type { CliContext } from '../program.ts';

/** `ares acl generate`: the rules of the broker, for set-ups that the cloud does not direct. */
export function aclCommands(program: Command, context: CliContext): void {
  const acl = program.command('acl').description('rules of the MQTT broker');
  acl
    .command('generate')
    .description(
      'print the acl_file of Mosquitto: devices by their certificate, the parts of the cloud by name',
    )
    .option('--listener <which>', 'devices or services; without it both, one after the other')
    .action(({ listener }: { listener?: string }) => {
      const files = { devices: deviceAcl(), services: serviceAcl() };
      if (listener !== undefined && !(listener in files))
        throw new CliError(`--listener is devices or services, not "${listener}"`);
      const chosen = listener === undefined ? files : { [listener]: files[listener as keyof typeof files] };
      if (context.json()) printJson(chosen);
      else process.stdout.write(Object.values(chosen).join('\n'));
    });
}
