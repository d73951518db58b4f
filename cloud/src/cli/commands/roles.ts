import {
  contract,
  policies,
  policyRule,
  type Role,
  type Route,
  roles,
  rolesDocument,
} from '@ares/protocol/http';
import { type Command, Option } from 'commander';
import type { SystemRole } from '../../accounts/system-roles.ts';
import { readConfig } from '../../config.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

const routes = Object.values(contract) as Route[];

/** `ares roles` and `ares permissions`: who may do what. */
export function rolesCommand(
  program: Command,
  context: CliContext,
  initialize: () => Promise<readonly SystemRole[]> = inDatabase,
): void {
  const command = program
    .command('roles')
    .description('print the table of roles and policies, and the policy of each route; needs no cloud')
    .action(() => {
      if (!context.json()) return console.log(rolesDocument().trimEnd());
      const all = routes.map(({ id, method, path, policy }) => ({ id, method, path, policy }));
      printJson({ roles, policies, routes: all });
    });

  command
    .command('init')
    .description(
      'make the system roles that the database lacks, and show who has them; on the machine of the cloud, or with its DATABASE_URL. What a role may do stands in the code: ares permissions',
    )
    .action(async () => {
      const all = await initialize();
      if (context.json()) return printJson({ items: all });
      printRows(
        all.map(({ name, made, holders }) => ({ role: name, what: made ? 'made' : 'was there', holders })),
        'There are no roles.',
      );
      const count = all.filter(({ made }) => made).length;
      console.log(count === 0 ? 'Nothing was changed.' : `Made ${count}; nobody has what was made.`);
      if (all.some(({ name, holders }) => name === 'prime_admin' && holders === 0))
        console.log('Nobody is prime_admin: ares admin create EMAIL makes the first one.');
    });

  program
    .command('permissions')
    .description('print what a role may do, route by route; needs no cloud')
    .addOption(new Option('--role <role>', 'only of this one').choices(Object.keys(roles)))
    .action(({ role }: { role?: Role }) => {
      const rows = routes
        .map(({ method, path, policy }) => ({ method, path, policy, roles: policyRule(policy).allows }))
        .filter((route) => role === undefined || route.roles.includes(role));
      if (context.json()) return printJson({ items: rows });
      printRows(
        rows.map((row) => ({ ...row, roles: row.roles.join(', ') })),
        `${role} may do nothing.`,
      );
    });
}

async function inDatabase(): Promise<readonly SystemRole[]> {
  // Loaded here: no other command needs what reaches a database.
  const { withOperatorTools } = await import('../../compose-operator.ts');
  return withOperatorTools(readConfig('all', process.env), (tools) => tools.initializeRoles());
}
