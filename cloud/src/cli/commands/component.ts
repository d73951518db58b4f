import { allItems } from '@ares/protocol/http';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { findDevice } from '../find-device.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

function pin(text: string, pins: Record<string, number>): Record<string, number> {
  const match = /^([a-z_]+)=(\d+)$/.exec(text);
  if (match === null) throw new CliError(`${text} is no pin. Write role=number, e.g. line=17 (BCM number).`);
  return { ...pins, [match[1] as string]: Number(match[2]) };
}

function settings(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Said below.
  }
  throw new CliError(`${text} is no settings. Write one JSON object, e.g. '{"channel":0}'.`);
}

/** `ares component …` */
export function componentCommands(program: Command, context: CliContext): void {
  const component = program.command('component').description('what is wired to a device');

  component
    .command('list <id>')
    .description('components of a device')
    .action(async (id: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const { items } = await client.listComponents({ params: { id: deviceUuid } });
      if (context.json()) return printJson({ items });
      const rows = items.map(({ componentId, componentType, name, pins }) => ({
        id: componentId,
        type: componentType,
        name,
        pins,
      }));
      printRows(rows, 'No components yet.');
    });

  component
    .command('add <id> <type>')
    .description('attach a component, e.g. pump --pin line=17')
    .option('--pin <role=number>', 'line that it is wired to (BCM number)', pin, {})
    .option('--name <name>', 'what people call it')
    .option('--config <json>', 'settings of its driver, e.g. \'{"channel":0}\'', settings, {})
    .action(
      async (
        id: string,
        componentType: string,
        options: { pin: Record<string, number>; name?: string; config: Record<string, unknown> },
      ) => {
        const { client } = await context.signIn();
        const { deviceUuid } = await findDevice(client, id);
        const added = await client.attachComponent({
          params: { id: deviceUuid },
          body: {
            componentType,
            pins: options.pin,
            config: options.config,
            ...(options.name !== undefined && { name: options.name }),
          },
        });
        if (context.json()) return printJson(added);
        console.log(`${added.componentType} is component ${added.componentId}. The device loads it now.`);
      },
    );

  component
    .command('edit <id> <componentId>')
    .description('rename a component or change the settings of its driver')
    .option('--name <name>', 'what people call it; empty takes the name away')
    .option('--config <json>', 'all settings of its driver', settings)
    .action(
      async (
        id: string,
        componentId: string,
        { name, config }: { name?: string; config?: Record<string, unknown> },
      ) => {
        if (name === undefined && config === undefined) throw new CliError('Give --name or --config.');
        const { client } = await context.signIn();
        const { deviceUuid } = await findDevice(client, id);
        const edited = await client.updateComponent({
          params: { id: deviceUuid, componentId },
          body: {
            ...(name !== undefined && { name: name === '' ? null : name }),
            ...(config !== undefined && { config }),
          },
        });
        if (context.json()) return printJson(edited);
        console.log(`Component ${edited.componentId} is changed. The device loads it now.`);
      },
    );

  component
    .command('remove <id> <componentId>')
    .description('detach a component')
    .action(async (id: string, componentId: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      await client.detachComponent({ params: { id: deviceUuid, componentId } });
      if (context.json()) return printJson({ componentId: Number(componentId), detached: true });
      console.log(`Component ${componentId} is detached.`);
    });

  component
    .command('types')
    .description('the catalogue')
    .action(async () => {
      const { client } = await context.signIn();
      const items = await allItems((cursor) => client.listComponentTypes({ query: { cursor, limit: 200 } }));
      if (context.json()) return printJson({ items });
      const rows = items.map(({ componentType, kind, pinRoles, metrics, actions }) => ({
        type: componentType,
        kind,
        pins: pinRoles.join(', ') || '-',
        measures:
          metrics
            .map(({ metric, unit }) => (unit === '1' ? metric : `${metric} ${unit === 'Cel' ? '°C' : unit}`))
            .join(', ') || '-',
        does: actions.map(({ action }) => action).join(', ') || '-',
      }));
      printRows(rows, 'The catalogue is empty.');
    });
}
