import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchownSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { useReserve } from './disk-reserve.ts';

/**
 * Replaces a file so that a power cut leaves the old content or the new, never a part and never the wrong mode:
 * temporary file beside it, fsync, rename, fsync of the folder. Mode 0600. Synchronous: what follows may rely on it.
 *
 * @throws {NodeJS.ErrnoException} ENOSPC, EROFS, EIO …; the old content is then still there
 */
export function writeDurableFile(path: string, content: string): void {
  put(path, content, (temporary) => renameSync(temporary, path));
}

/**
 * The content of a file that is made once, by whoever comes first: nobody's is ever replaced.
 * @throws {NodeJS.ErrnoException}
 */
export function ensureDurableFile(path: string, make: () => string): string {
  const present = readFileIfThere(path);
  if (present !== undefined) return present;
  const content = make();
  put(path, content, (temporary) => {
    try {
      linkSync(temporary, path);
    } catch (cause) {
      if (codeOf(cause) !== 'EEXIST') throw cause;
    }
    rmSync(temporary);
  });
  return readFileIfThere(path) ?? content;
}

function put(path: string, content: string, settle: (temporary: string) => void): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  const attempt = () => {
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      giveToOwnerOf(folder, file);
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    settle(temporary);
  };
  try {
    useReserve(folder, (cause) => codeOf(cause) === 'ENOSPC', attempt);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
  syncFolder(folder);
}

/** What an administrator writes into the folder of the agent must stay readable for the agent. */
function giveToOwnerOf(folder: string, file: number): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(folder);
  if (uid !== 0) fchownSync(file, uid, gid);
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
  return codeOf(cause) === 'ENOENT';
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause ? cause.code : undefined;
}
