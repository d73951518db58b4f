import { contract } from '@ares/protocol/http';
import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import { CliError } from '../cli-error.ts';
import { printJson } from '../output.ts';
import type { CliContext } from '../program.ts';

const emailSchema = contract.register.body.shape.email;

/** `ares admin …` */
export function adminCommands(program: Command, context: CliContext): void {
  const admin = program.command('admin').description('administrators of a cloud, by its database');

  admin
    .command('create <email>')
    .description(
      'make an administrator and show the password once; on the machine of the cloud, or with its DATABASE_URL',
    )
    .action(async (email: string) => {
      const parsed = emailSchema.safeParse(email);
      if (!parsed.success) throw new CliError(`${email} is no e-mail address.`);
      const config = readConfig('all', process.env);
      // Loaded here: no other command needs what reaches a database.
      const { withOperatorTools } = await import('../../compose-operator.ts');
      const made = await withOperatorTools(config, (tools) =>
        tools.createAdministrator({ email: parsed.data }),
      );
      if (context.json()) return printJson(made);
      console.log(`${made.email} is an administrator. Password, shown this once: ${made.password}`);
      console.log(
        'For this command line: ARES_URL=… ARES_EMAIL=… ARES_PASSWORD=… npm run ares -- device list',
      );
    });
}
