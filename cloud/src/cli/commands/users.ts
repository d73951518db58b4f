import { type AnswerOf, allItems, type Client, type Contract } from '@ares/protocol/http';
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

type User = AnswerOf<Contract['getUser']>;

const roleNames = ['prime_admin', 'general_admin', 'developer'] as const;
type RoleName = (typeof roleNames)[number];

/** `ares users …`, as an administrator */
export function userCommands(program: Command, context: CliContext): void {
  const users = program.command('users').description('accounts and their roles, as an administrator');
  const show = (user: User, change?: string) => {
    if (context.json()) return printJson(user);
    if (change !== undefined) console.log(change);
    printRows([rowOf(user)], '');
  };

  users
    .command('list')
    .description('accounts')
    .option('--email <part>', 'with this in the address')
    .addOption(new Option('--role <role>', 'with this role').choices(roleNames))
    .option('--suspended', 'only suspended ones')
    .addOption(
      new Option('--sort <order>', 'the order').choices(['email', '-email', 'createdAt', '-createdAt']),
    )
    .action(
      async ({
        suspended,
        ...filter
      }: {
        suspended?: true;
        email?: string;
        role?: RoleName;
        sort?: 'email';
      }) => {
        const { client } = await context.signIn('administrator');
        const query = { ...filter, ...(suspended === true && { suspended: 'true' as const }), limit: 200 };
        const items = await allItems((cursor) => client.listUsers({ query: { ...query, cursor } }));
        if (context.json()) return printJson({ items });
        printRows(items.map(rowOf), 'There are no such accounts.');
      },
    );

  users
    .command('show <user>')
    .description('one account, by its e-mail or its id')
    .action(async (user: string) => {
      const { client } = await context.signIn('administrator');
      show(await findUser(client, user));
    });

  users
    .command('create <email>')
    .description('make an account; its owner is mailed a code to set the password')
    .option('--name <name>', 'what the person is called')
    .addOption(new Option('--role <role...>', 'roles to give').choices(roleNames))
    .action(async (email: string, { name, role }: { name?: string; role?: RoleName[] }) => {
      const { client } = await context.signIn('administrator');
      const body = { email, ...(name !== undefined && { displayName: name }), roles: role ?? [] };
      const user = await client.createUser({ body });
      show(user, `Made the account ${user.email}; a code to set the password is mailed to it.`);
    });

  users
    .command('suspend <user>')
    .description('lock an account: its sessions end at once, its devices work on')
    .action(async (name: string) => {
      const { client } = await context.signIn('administrator');
      const { userId, email } = await findUser(client, name);
      show(
        await client.suspendUser({ params: { userId } }),
        `${email} is suspended; its sessions have ended.`,
      );
    });

  users
    .command('unsuspend <user>')
    .description('let a suspended account sign in again')
    .action(async (name: string) => {
      const { client } = await context.signIn('administrator');
      const { userId, email } = await findUser(client, name);
      show(await client.unsuspendUser({ params: { userId } }), `${email} may sign in again.`);
    });

  const roles = users.command('roles').description('roles of an account');
  roles
    .command('grant <user> <role>')
    .description(`give ${roleNames.join(', ')}`)
    .action(async (name: string, role: string) => {
      const { client } = await context.signIn('administrator');
      const { userId, email } = await findUser(client, name);
      const params = { userId, role: asRole(role) };
      show(await client.grantRole({ params }), `${email} has the role ${role}.`);
    });
  roles
    .command('take <user> <role>')
    .description('take a role away')
    .action(async (name: string, role: string) => {
      const { client } = await context.signIn('administrator');
      const { userId, email } = await findUser(client, name);
      const params = { userId, role: asRole(role) };
      show(await client.takeRole({ params }), `${email} has the role ${role} no more.`);
    });
}

async function findUser(client: Client, name: string): Promise<User> {
  if (/^[0-9a-f-]{36}$/.test(name)) return client.getUser({ params: { userId: name } });
  const { items } = await client.listUsers({ query: { email: name, limit: 200 } });
  const email = name.trim().normalize('NFC').toLowerCase();
  const found = items.find((user) => user.email === email) ?? (items.length === 1 ? items[0] : undefined);
  if (found !== undefined) return found;
  if (items.length === 0) throw new CliError(`There is no account ${name}.`);
  throw new CliError(`${items.length} accounts have ${name} in their address: write the whole address.`);
}

function asRole(role: string): RoleName {
  const found = roleNames.find((one) => one === role);
  if (found === undefined) throw new CliError(`There is no role ${role}: use ${roleNames.join(', ')}.`);
  return found;
}

function rowOf({ userId, email, emailVerified, roles, suspended, devices, lastSignIn }: User) {
  return {
    id: userId,
    email,
    verified: emailVerified ? 'yes' : 'no',
    roles: roles.join(',') || '-',
    state: suspended ? 'SUSPENDED' : 'ACTIVE',
    devices,
    lastSignIn,
  };
}
