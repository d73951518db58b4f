import { allItems } from '@ares/protocol/http';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { findDevice } from '../find-device.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

/** `ares device bind|unbind|binding|bindings` */
export function bindingCommands(device: Command, context: CliContext): void {
  device
    .command('bind <id> <userId>')
    .description('claim the device for a user; it is his when the device has completed the claim')
    .action(async (id: string, userId: string) => {
      const { client } = await context.signIn('administrator');
      const { deviceUuid } = await findDevice(client, id);
      const claim = await client.bindDevice({ params: { id: deviceUuid }, body: { userId } });
      if (context.json()) return printJson({ deviceUuid, userId, ...claim });
      console.log(`${deviceUuid} is claimed for ${userId} until ${claim.expiresAt}.`);
      console.log('Hand claim id and nonce to the device by Bluetooth (provision):');
      printRows([{ claimId: claim.claimId, nonce: claim.nonce, cloud: claim.deviceApiUrl }], '');
    });

  device
    .command('unbind <id>')
    .description('take the device from its owner; it wipes itself')
    .action(async (id: string) => {
      const { client } = await context.signIn('administrator');
      const { deviceUuid } = await findDevice(client, id);
      await client.unbindDevice({ params: { id: deviceUuid } });
      if (context.json()) return printJson({ deviceUuid, bound: false });
      console.log(`${deviceUuid} belongs to nobody now. It wipes itself and can be claimed again.`);
    });

  device
    .command('binding <id>')
    .description('whose the device is')
    .action(async (id: string) => {
      const { client } = await context.signIn('administrator');
      const { deviceUuid } = await findDevice(client, id);
      const { binding } = await client.getBinding({ params: { id: deviceUuid } });
      if (context.json()) return printJson({ binding });
      printRows(binding === null ? [] : [binding], 'It belongs to nobody.');
    });

  device
    .command('bindings <userId>')
    .description('devices that a user owns, or owned')
    .option('--active', 'only those that he owns now')
    .option('--ended', 'only those that he gave away')
    .action(async (userId: string, { active, ended }: { active?: boolean; ended?: boolean }) => {
      if (active === true && ended === true) throw new CliError('Either --active or --ended.');
      const { client } = await context.signIn('administrator');
      const wanted = active === true ? 'true' : ended === true ? 'false' : undefined;
      const items = await allItems((cursor) =>
        client.listDeviceBindings({ params: { userId }, query: { active: wanted, cursor, limit: 200 } }),
      );
      if (context.json()) return printJson({ items });
      printRows(
        items.map(({ deviceUuid, assignment, boundAt, unboundAt }) => ({
          device: deviceUuid,
          assignment,
          boundAt,
          unboundAt,
        })),
        'No devices.',
      );
    });
}
