import type { Command } from 'commander';
import { readCredentials } from '../home.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

/** `ares credentials` */
export function credentialsCommand(program: Command, context: CliContext): void {
  program
    .command('credentials')
    .description('how to sign in to the installation of npm start')
    .action(() => {
      const saved = readCredentials(context.home);
      if (context.json()) return printJson(saved);
      console.log(saved.url);
      printRows(
        [
          { account: 'owner', ...saved.owner },
          { account: 'administrator', ...saved.administrator },
        ],
        '',
      );
    });
}
