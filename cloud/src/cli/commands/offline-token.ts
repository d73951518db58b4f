import { allItems } from '@ares/protocol/http';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { findDevice } from '../find-device.ts';
import { parseDuration, printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';
import { openSecretInput } from './secret-input.ts';

/** `ares offline-token …` */
export function offlineTokenCommands(program: Command, context: CliContext): void {
  const offline = program
    .command('offline-token')
    .description('tokens that let their holder act on a device without the cloud');

  offline
    .command('issue <device> <scope...>')
    .description('a token for some actions, e.g. pump:on pump:off; printed alone, so that it can be piped')
    .option('--ttl <duration>', 'how long it counts, 24h at most', parseDuration, 3_600_000)
    .action(async (id: string, scope: string[], { ttl }: { ttl: number }) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const issued = await client.issueOfflineToken({
        params: { id: deviceUuid },
        body: { scope, ttlSeconds: Math.ceil(ttl / 1_000) },
      });
      if (context.json()) return printJson(issued);
      console.log(issued.token);
      console.error(`${issued.jti} for ${deviceUuid} until ${issued.expiresAt}`);
    });

  offline
    .command('verify')
    .description('whether a token counts (from ARES_OFFLINE_TOKEN, or standard input)')
    .option('--device <device>', 'for this device')
    .option('--action <action>', 'for this action, e.g. pump:on')
    .action(async (options: { device?: string; action?: string }) => {
      const { client } = await context.signIn();
      const device = options.device === undefined ? undefined : await findDevice(client, options.device);
      const token = await readToken(context.signal);
      const answer = await client.verifyOfflineToken({
        body: {
          token,
          ...(device !== undefined && { deviceUuid: device.deviceUuid }),
          ...(options.action !== undefined && { action: options.action }),
        },
      });
      if (context.json()) printJson(answer);
      else console.log(answer.valid ? 'valid' : `not valid: ${answer.reason}`);
      if (!answer.valid) process.exitCode = 1;
    });

  offline
    .command('revoke [device] [jti]')
    .description(
      'revoke one token of a device or, with --all, every one; without a device the token itself is read',
    )
    .option('--all', 'every token of the device')
    .action(async (id: string | undefined, jti: string | undefined, { all }: { all?: boolean }) => {
      const { client } = await context.signIn();
      if (id === undefined) {
        await client.revokeOfflineToken({ body: { token: await readToken(context.signal) } });
        return context.json() ? printJson({ revoked: 1 }) : console.log('1 token revoked.');
      }
      if ((jti === undefined) !== (all === true))
        throw new CliError('Say which token (its jti), or --all. See: npm run ares -- offline-token list');
      const { deviceUuid } = await findDevice(client, id);
      const answer = await client.revokeOfflineTokens({
        params: { id: deviceUuid },
        body: { ...(jti !== undefined && { jti }) },
      });
      if (context.json()) return printJson(answer);
      console.log(`${answer.revoked} ${answer.revoked === 1 ? 'token' : 'tokens'} revoked.`);
    });

  offline
    .command('list <device>')
    .description('issued tokens, newest first')
    .action(async (id: string) => {
      const { client } = await context.signIn();
      const { deviceUuid } = await findDevice(client, id);
      const items = await allItems((cursor) =>
        client.listOfflineTokens({ params: { id: deviceUuid }, query: { cursor, limit: 200 } }),
      );
      if (context.json()) return printJson({ items });
      const rows = items.map(({ scope, kid: _kid, ...rest }) => ({ ...rest, scope: scope.join(' ') }));
      printRows(rows, `No tokens yet. Issue one: npm run ares -- offline-token issue ${id} pump:on`);
    });
}

async function readToken(signal: AbortSignal): Promise<string> {
  const input = openSecretInput({ signal });
  try {
    return await input.offlineToken();
  } finally {
    input.close();
  }
}
