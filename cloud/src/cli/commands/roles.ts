import { contract, policies, type Route, roles, rolesDocument } from '@ares/protocol/http';
import type { Command } from 'commander';
import { printJson } from '../output.ts';
import type { CliContext } from '../program.ts';

/** `ares roles`: who may do what, without a cloud. */
export function rolesCommand(program: Command, context: CliContext): void {
  program
    .command('roles')
    .description('print the table of roles and policies, and the policy of each route')
    .action(() => {
      if (!context.json()) return console.log(rolesDocument().trimEnd());
      const routes = (Object.values(contract) as Route[]).map(({ id, method, path, policy }) => ({
        id,
        method,
        path,
        policy,
      }));
      printJson({ roles, policies, routes });
    });
}
