import { allItems } from '@ares/protocol/http';
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { findDevice } from '../find-device.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

/** `ares keys …` */
export function keyCommands(program: Command, context: CliContext): void {
  const keys = program.command('keys').description('keys of devices, for offline tokens');

  keys
    .command('rotate <device>')
    .description('a new key; tokens of the old one go on until they expire')
    .addOption(
      new Option('--alg <algorithm>', 'kind of key').choices(['ED25519', 'ES256']).default('ED25519'),
    )
    .action(async (id: string, { alg }: { alg: 'ED25519' | 'ES256' }) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const key = await client.rotateKey({ params: { id: deviceUuid }, body: { alg } });
      if (context.json()) return printJson(key);
      console.log(`${key.kid} (${key.alg}) signs for ${deviceUuid} from now on.`);
    });

  keys
    .command('list <device>')
    .description('keys, newest first')
    .action(async (id: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const items = await allItems((cursor) =>
        client.listKeys({ params: { id: deviceUuid }, query: { cursor, limit: 200 } }),
      );
      if (context.json()) return printJson({ items });
      printRows(items, `No keys yet. Make one: npm run ares -- keys rotate ${id}`);
    });

  keys
    .command('deactivate <device> <kid>')
    .description('end a key and all its tokens now; the beginning of the kid is enough')
    .action(async (id: string, wanted: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const items = await allItems((cursor) =>
        client.listKeys({ params: { id: deviceUuid }, query: { cursor, limit: 200 } }),
      );
      const fits = items.filter(({ kid }) => kid.startsWith(wanted));
      if (fits.length !== 1 || fits[0] === undefined)
        throw new CliError(`${wanted} fits ${fits.length} keys. See: npm run ares -- keys list ${id}`);
      const { kid } = fits[0];
      const key = await client.deactivateKey({ params: { id: deviceUuid, kid } });
      if (context.json()) return printJson(key);
      console.log(`${kid} is over, and every token that it signed.`);
    });
}
