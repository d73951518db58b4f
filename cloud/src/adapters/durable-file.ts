import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const TEMPORARY = /^\.(.+)\.[0-9a-f]{16}\.tmp$/;
const LEFTOVER_AGE_MS = 60_000;

/**
 * Replaces a file so that a kill or a power cut at any instant leaves the old content or the new, never a mix:
 * temporary file, fsync, rename, fsync of the folder. Readable by the owner alone from its first byte.
 */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  await withTemporary(path, content, (temporary) => rename(temporary, path));
}

/**
 * Like {@link writeDurably}, but only if there is no such file yet. Of several processes that race, exactly one
 * gets `true`.
 */
export async function createDurably(path: string, content: string | Uint8Array): Promise<boolean> {
  return withTemporary(path, content, async (temporary) => {
    try {
      await link(temporary, path);
      return true;
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    } finally {
      await unlink(temporary);
    }
  });
}

/** Removes a file for good; one that does not exist is not an error. */
export async function removeDurably(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * Makes a folder that only its owner can enter, and removes what a killed {@link writeDurably} left in it.
 * A folder that exists keeps its mode: its owner may have had a reason.
 */
export async function preparePrivateFolder(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made !== undefined) {
    // The names of all new folders must survive a power cut, not only the files inside the last one.
    for (let folder = path; folder.length >= made.length; folder = dirname(folder))
      await syncFolder(dirname(folder));
    return;
  }
  for (const name of await readdir(path)) {
    if (TEMPORARY.test(name)) await removeLeftover(join(path, name));
  }
}

/** A young one may belong to another process that is writing right now. */
async function removeLeftover(temporary: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(temporary);
    if (Date.now() - mtimeMs > LEFTOVER_AGE_MS) await unlink(temporary);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** Makes renames, new names and removals in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Whether an error is a system error of this code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

async function withTemporary<Result>(
  path: string,
  content: string | Uint8Array,
  publish: (temporary: string) => Promise<Result>,
): Promise<Result> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    const result = await publish(temporary);
    await syncFolder(dirname(path));
    return result;
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}
