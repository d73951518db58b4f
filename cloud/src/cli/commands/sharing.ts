import { allItems, type Client } from '@ares/protocol/http';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { findDevice } from '../find-device.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

/** `ares device share|unshare|viewers|leave` */
export function sharingCommands(device: Command, context: CliContext): void {
  device
    .command('viewers <id>')
    .description('whom the device is shared with')
    .action(async (id: string) => {
      const { client } = await context.signIn();
      const items = await viewersOf(client, (await findDevice(client, id)).deviceUuid);
      if (context.json()) return printJson({ items });
      printRows(
        items.map(({ email, sharedAt }) => ({ email, sharedAt })),
        'It is shared with nobody.',
      );
    });

  device
    .command('share <id> <email>')
    .description('let a person see the device: at once, or when he has an account with this address')
    .action(async (id: string, email: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const made = await client.shareDevice({ params: { id: deviceUuid }, body: { email } });
      if (context.json()) return printJson(made);
      console.log(`${made.email} may see ${deviceUuid}, if he has an account or as soon as he has one.`);
    });

  device
    .command('unshare <id> <email>')
    .description('let him see it no more')
    .action(async (id: string, email: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const wanted = email.trim().toLowerCase();
      const viewer = (await viewersOf(client, deviceUuid)).find((one) => one.email === wanted);
      if (viewer === undefined) throw new CliError(`The device is not shared with ${email}.`);
      await client.stopSharing({ params: { id: deviceUuid, viewerId: viewer.viewerId } });
      if (context.json()) return printJson({ deviceUuid, email: viewer.email, shared: false });
      console.log(`${viewer.email} may not see ${deviceUuid} any more.`);
    });

  device
    .command('leave <id>')
    .description('see a device no more that somebody shared with you')
    .action(async (id: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      await client.leaveDevice({ params: { id: deviceUuid } });
      if (context.json()) return printJson({ deviceUuid, left: true });
      console.log(`You see ${deviceUuid} no more.`);
    });
}

const viewersOf = (client: Client, id: string) =>
  allItems((cursor) => client.listViewers({ params: { id }, query: { cursor, limit: 200 } }));
