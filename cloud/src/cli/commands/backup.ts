import { resolve } from 'node:path';
import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import { printJson } from '../output.ts';
import type { CliContext } from '../program.ts';

/** `ares backup` and `ares restore`, on the database itself. */
export function backupCommands(program: Command, context: CliContext): void {
  program
    .command('backup <file>')
    .description(
      'write everything of the database to a file (tar, zstd); on the machine of the cloud, which may run meanwhile, or with its DATABASE_URL',
    )
    .option('--with-secrets', 'also the sealed secrets and the certificate authority of the cloud’s folder')
    .action(async (file: string, { withSecrets = false }: { withSecrets?: boolean }) => {
      // Loaded here: no other command needs what reaches a database.
      const { backUp } = await import('../../compose-backup.ts');
      const config = readConfig('all', process.env);
      const path = resolve(file);
      const manifest = await backUp(config, { path, withSecrets, signal: context.signal });
      const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
      if (context.json())
        return printJson({ path, rows, tables: manifest.tables.length, files: manifest.files.length });
      console.log(`${path} holds ${rows} rows of ${manifest.tables.length} tables.`);
      console.log(
        withSecrets
          ? 'It holds keys: who has it can act as this cloud. Keep it as you keep those.'
          : 'It holds no keys: back up the folders secrets and ca of the cloud too, or use --with-secrets.',
      );
    });

  program
    .command('restore <file>')
    .description('put a backup into an empty database; no process of the cloud may run')
    .option('--force', 'replace everything that the database and the folder hold')
    .action(async (file: string, { force = false }: { force?: boolean }) => {
      const { restore } = await import('../../compose-backup.ts');
      const config = readConfig('all', process.env);
      const { manifest, replaced } = await restore(config, { path: resolve(file), force });
      const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
      if (context.json()) return printJson({ rows, madeAt: manifest.madeAt, replaced });
      console.log(
        `Restored ${rows} rows of ${manifest.tables.length} tables, as they were at ${manifest.madeAt}.`,
      );
      for (const name of replaced) console.log(`What was there is now in ${name}.`);
    });
}
