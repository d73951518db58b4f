import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Replaces a file so that a power cut leaves the old content or the new, never a part and never the wrong mode:
 * temporary file beside it, fsync, rename, fsync of the folder. Mode 0600. Synchronous: what follows may rely on it.
 *
 * @throws {NodeJS.ErrnoException} ENOSPC, EROFS, EIO …; the old content is then still there
 */
export function writeDurableFile(path: string, content: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
  syncFolder(folder);
}

/**
 * Removes a file for good, and what a kill in the middle of {@link writeDurableFile} left of it: a temporary file holds
 * the same secrets. That nothing is there is no error.
 */
export function removeDurableFile(path: string): void {
  const folder = dirname(path);
  const prefix = `.${basename(path)}.`;
  const isLeftover = (name: string) =>
    name.startsWith(prefix) && /^[0-9a-f]{12}\.tmp$/.test(name.slice(prefix.length));
  const names = listIfThere(folder).filter((name) => name === basename(path) || isLeftover(name));
  if (names.length === 0) return;
  for (const name of names) rmSync(join(folder, name), { force: true });
  syncFolder(folder);
}

/** The content, or `undefined` when there is no such file. @throws {NodeJS.ErrnoException} any other failure */
export function readFileIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw cause;
  }
}

function listIfThere(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw cause;
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}
