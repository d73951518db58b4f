import { allItems, type Client } from '@ares/protocol/http';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

/** `ares variant list|add|describe|remove` */
export function variantCommands(program: Command, context: CliContext): void {
  const variant = program.command('variant').description('hardware versions and their variants');

  variant
    .command('list')
    .description('all of them')
    .action(async () => {
      const { client } = await context.signIn('administrator');
      const items = await variantsOf(client);
      if (context.json()) return printJson({ items });
      const rows = items.map(({ hardwareVersion, hardwareVariant, description }) => ({
        version: hardwareVersion,
        variant: hardwareVariant,
        description,
      }));
      printRows(rows, 'No variants yet.');
    });

  variant
    .command('add <version> <variant>')
    .description('add a variant; every type may sit on any free line until pin rules say otherwise')
    .option('--description <text>')
    .action(async (hardwareVersion: string, hardwareVariant: string, options: { description?: string }) => {
      const { client } = await context.signIn('administrator');
      const body = { hardwareVersion, hardwareVariant, ...options };
      const added = await client.addHardwareVariant({ body });
      if (context.json()) return printJson(added);
      console.log(`${hardwareVariant} of ${hardwareVersion} is known now.`);
    });

  variant
    .command('remove <version> <variant>')
    .description('delete a variant of which there is no device')
    .action(async (hardwareVersion: string, hardwareVariant: string) => {
      const { client } = await context.signIn('administrator');
      const { variantId } = await variantOf(client, hardwareVersion, hardwareVariant);
      await client.deleteHardwareVariant({ params: { variantId } });
      if (context.json()) return printJson({ hardwareVersion, hardwareVariant, removed: true });
      console.log(`${hardwareVariant} of ${hardwareVersion} is deleted, with its pin rules.`);
    });
}

const lines = (text: string): number[] =>
  text.split(',').map((part) => {
    if (!/^\d{1,2}$/.test(part.trim()))
      throw new CliError(`${text} names no lines. Write for instance 17,22,27.`);
    return Number(part);
  });

/** `ares pin-rules list|set|remove` */
export function pinRuleCommands(program: Command, context: CliContext): void {
  const rules = program.command('pin-rules').description('on which lines of a board what may sit');

  rules
    .command('list <version> <variant>')
    .description('rules of a variant')
    .option('--type <type>', 'of one component type')
    .action(async (hardwareVersion: string, hardwareVariant: string, { type }: { type?: string }) => {
      const { client } = await context.signIn('administrator');
      const items = await rulesOf(client, { hardwareVersion, hardwareVariant, componentType: type });
      if (context.json()) return printJson({ items });
      const rows = items.map(({ componentType, role, pins }) => ({
        type: componentType,
        line: role,
        pins: pins.join(',') || '(none)',
      }));
      printRows(rows, 'Nothing may sit on this variant.');
    });

  rules
    .command('set <version> <variant> <type> <line> <pins>')
    .description(
      'allow exactly these lines (BCM numbers), e.g. pin-rules set pi-4 greenhouse pump line 17,22',
    )
    .action(
      async (
        hardwareVersion: string,
        hardwareVariant: string,
        componentType: string,
        role: string,
        text: string,
      ) => {
        const pins = lines(text);
        const { client } = await context.signIn('administrator');
        const scope = { hardwareVersion, hardwareVariant, componentType };
        const known = (await rulesOf(client, scope)).find((rule) => rule.role === role);
        const rule =
          known === undefined
            ? await client.addPinRule({ body: { ...scope, role, pins } })
            : await client.updatePinRule({ params: { configId: known.configId }, body: { pins } });
        if (context.json()) return printJson(rule);
        console.log(`${componentType} ${role} may sit on ${rule.pins.join(', ')}.`);
      },
    );

  rules
    .command('remove <version> <variant> <type> <line>')
    .description('delete a rule: nothing of the type may sit there then')
    .action(async (hardwareVersion: string, hardwareVariant: string, componentType: string, role: string) => {
      const { client } = await context.signIn('administrator');
      const scope = { hardwareVersion, hardwareVariant, componentType };
      const known = (await rulesOf(client, scope)).find((rule) => rule.role === role);
      if (known === undefined) throw new CliError('There is no such rule.');
      await client.deletePinRule({ params: { configId: known.configId } });
      if (context.json()) return printJson({ ...scope, role, removed: true });
      console.log(`${componentType} ${role} may not sit on this variant any more.`);
    });
}

const variantsOf = (client: Client, hardwareVersion?: string) =>
  allItems((cursor) => client.listHardwareVariants({ query: { hardwareVersion, cursor, limit: 200 } }));

async function variantOf(client: Client, hardwareVersion: string, hardwareVariant: string) {
  const known = await variantsOf(client, hardwareVersion);
  const found = known.find((one) => one.hardwareVariant === hardwareVariant);
  if (found === undefined)
    throw new CliError(`There is no variant ${hardwareVariant} of ${hardwareVersion}.`);
  return found;
}

const rulesOf = (
  client: Client,
  scope: { hardwareVersion: string; hardwareVariant: string; componentType: string | undefined },
) => allItems((cursor) => client.listPinRules({ query: { ...scope, cursor, limit: 200 } }));
