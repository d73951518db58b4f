import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { KeptFile } from '../backup/make-backup.ts';
import { BackupError } from '../backup/types.ts';
import { preparePrivateFolder, writeDurably } from './durable-file.ts';

/** What of the cloud's folder a database is worth little without. */
const FOLDERS = ['secrets', 'ca'] as const;

/** Secrets and authority of a cloud's folder, for a backup. */
export async function readKeptFiles(home: string): Promise<KeptFile[]> {
  const files: KeptFile[] = [];
  for (const folder of FOLDERS) {
    const names = await readdir(join(home, folder), { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of names) {
      // What begins with a dot is being written at this moment.
      if (!entry.isFile() || entry.name.startsWith('.')) continue;
      const path = join(entry.parentPath, entry.name);
      files.push({ name: path.slice(home.length + 1), content: await readFile(path) });
    }
  }
  return files;
}

/** Files on their way into a cloud's folder: they come all together or not at all. */
export interface StagedFiles {
  add(name: string, content: Uint8Array): Promise<void>;
  /** Puts them in place; folders that were there are kept beside them. @returns the names of those */
  place(): Promise<readonly string[]>;
  /** Removes what was not placed. */
  discard(): Promise<void>;
}

/** @throws {BackupError} NOT_EMPTY when the folder has secrets or an authority already, unless they may be replaced */
export async function stageFiles(home: string, options: { readonly replace: boolean }): Promise<StagedFiles> {
  await preparePrivateFolder(home);
  const here = new Set(await readdir(home));
  const stage = join(home, `restore-${randomBytes(4).toString('hex')}`);
  const coming = new Set<string>();
  return {
    async add(name, content) {
      const folder = name.split('/')[0]!;
      if (here.has(folder) && !options.replace)
        throw new BackupError(
          'NOT_EMPTY',
          `${join(home, folder)} is there already. Restore into an empty folder, or replace it with --force.`,
        );
      coming.add(folder);
      const path = join(stage, name);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeDurably(path, content);
    },
    async place() {
      const replaced: string[] = [];
      for (const folder of coming) {
        if (here.has(folder)) {
          const old = `${folder}.before-${stage.slice(-8)}`;
          await rename(join(home, folder), join(home, old));
          replaced.push(old);
        }
        await rename(join(stage, folder), join(home, folder));
      }
      return replaced;
    },
    discard: () => rm(stage, { recursive: true, force: true }),
  };
}
