import { openBackupFile, writeBackupFile } from './adapters/backup-file.ts';
import { readKeptFiles, stageFiles } from './adapters/kept-files.ts';
import { openBackupConnection } from './adapters/pg-backup-connection.ts';
import { openPgDatabase } from './adapters/pg-database.ts';
import { createPinoLogger } from './adapters/pino-logger.ts';
import { systemClock } from './adapters/system-clock.ts';
import { makeBackup } from './backup/make-backup.ts';
import { checkBackup } from './backup/read-backup.ts';
import { restoreBackup } from './backup/restore-backup.ts';
import type { Manifest } from './backup/types.ts';
import { databaseConnection } from './compose-operator.ts';
import type { CloudConfig } from './config.ts';
import { migrate } from './database/migrate.ts';
import { keyRepository } from './keys/repository.ts';
import { VERSION } from './version.ts';

/**
 * Writes a backup of a cloud's database, whether the cloud runs or not.
 * @throws {BackupError | EmbeddedPostgresError | ConfigError}
 */
export async function backUp(
  config: CloudConfig,
  options: { readonly path: string; readonly withSecrets: boolean; readonly signal: AbortSignal },
): Promise<Manifest> {
  await using stack = new AsyncDisposableStack();
  const connection = await openBackupConnection(await databaseConnection(config, stack));
  stack.defer(() => connection.close());
  let manifest: Manifest | undefined;
  await connection.transaction('read snapshot', async () => {
    const archive = makeBackup({
      connection,
      files: options.withSecrets ? await readKeptFiles(config.home) : [],
      release: VERSION,
      clock: systemClock,
      made: (made) => {
        manifest = made;
      },
    });
    await writeBackupFile(options.path, archive, options.signal);
  });
  return manifest!;
}

/**
 * Checks a backup to its last byte and puts it into the database of a cloud that does not run.
 * @returns what was restored, and the folders that were set aside
 * @throws {BackupError | EmbeddedPostgresError | ConfigError}
 */
export async function restore(
  config: CloudConfig,
  options: { readonly path: string; readonly force: boolean },
): Promise<{ readonly manifest: Manifest; readonly replaced: readonly string[] }> {
  const { path, force } = options;
  const archive = await openBackupFile(path);
  const backup = await checkBackup(archive());
  await using stack = new AsyncDisposableStack();
  const files = await stageFiles(config.home, { replace: force });
  stack.defer(() => files.discard());
  const at = await databaseConnection(config, stack);
  const connection = await openBackupConnection(at);
  stack.defer(() => connection.close());
  await restoreBackup({ connection, backup, archive: archive(), force, file: files.add });
  const replaced = await files.place();
  const database = openPgDatabase({ connection: at, log: createPinoLogger({ level: 'silent' }) });
  stack.defer(() => database.close());
  await migrate(database.db);
  // Devices refuse a list that is older than one they have seen, and some saw lists that the backup does not know.
  await keyRepository.raiseAllRevocations(database.db);
  return { manifest: backup.manifest, replaced };
}
