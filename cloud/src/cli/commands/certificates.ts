import { resolve } from 'node:path';
import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import type { ServerFiles } from '../../pki/server-files.ts';
import { CliError } from '../cli-error.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

/** `ares certificates …` */
export function certificateCommands(program: Command, context: CliContext): void {
  const certificates = program
    .command('certificates')
    .description(
      'certificates of the servers beside the cloud, by its own authority; on the machine of the cloud',
    );

  certificates
    .command('make <server...>')
    .description(
      'write server.pem, server.key and ca.pem for each NAME=HOST[,HOST…][@UID:GID]; what is still good is kept',
    )
    .requiredOption('--out <folder>', 'where; each server gets a folder of its name')
    .action(async (wanted: string[], { out }: { out: string }) => {
      const servers = wanted.map(parseServer);
      const { makeCertificates } = await import('../../compose-operator.ts');
      const made = await makeCertificates(readConfig('all', local()), resolve(out), servers);
      if (context.json()) return printJson(made);
      printRows(
        made.map(({ name, hosts, folder, validUntil, what }) => ({
          server: name,
          hosts: hosts.join(', '),
          files: folder,
          'valid until': validUntil.toISOString().slice(0, 10),
          what,
        })),
        'No server was named.',
      );
    });

  certificates
    .command('clear <name...>')
    .description('remove the files of these servers; the authority stays')
    .requiredOption('--out <folder>', 'where they are')
    .action(async (names: string[], { out }: { out: string }) => {
      const { clearServerFiles } = await import('../../pki/server-files.ts');
      for (const name of names) assertName(name);
      await clearServerFiles(resolve(out), names);
      if (context.json()) return printJson({ cleared: names });
      console.log(`Removed the certificates of ${names.join(', ')}.`);
    });
}

/** The authority needs no database and no state store: what production asks of those does not matter here. */
function local(): NodeJS.ProcessEnv {
  return { ...process.env, APP_ENV: 'local' };
}

function parseServer(text: string): ServerFiles {
  const match = /^([^=]+)=([^@=]+)(?:@(\d{1,9}):(\d{1,9}))?$/.exec(text);
  if (match === null)
    throw new CliError(`${text}: write NAME=HOST, as in postgres=postgres,localhost@999:999.`);
  const [, name, hosts, uid, gid] = match;
  assertName(name!);
  return {
    name: name!,
    hosts: hosts!.split(',').map((host) => host.trim()),
    ...(uid !== undefined && { owner: { uid: Number(uid), gid: Number(gid) } }),
  };
}

function assertName(name: string): void {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(name))
    throw new CliError(`${name}: the name of a server is lower-case letters, digits and hyphens.`);
}
