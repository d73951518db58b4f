import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { CliError } from './cli-error.ts';

const schema = z.strictObject({
  url: z.url(),
  email: z.string(),
  accessToken: z.string(),
  /** Epoch ms. */
  expiresAt: z.number(),
  refreshToken: z.string(),
});

/** What `ares login` left: no password, and tokens that `ares logout` makes worthless. */
export type SavedSession = z.infer<typeof schema>;

const LOCK_AGAIN_MS = 50;
/** Whoever holds the lock so long has died. */
const LOCK_STALE_MS = 30_000;

/** The session of this computer's user, in a file that only he can read. */
export interface SessionFile {
  readonly path: string;
  read(): Promise<SavedSession | undefined>;
  write(session: SavedSession): Promise<void>;
  remove(): Promise<void>;
  /** One command at a time: each refresh token is for one use. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

export function sessionFile(home: string): SessionFile {
  const path = join(home, 'session.json');
  const lock = `${path}.lock`;

  async function acquire(): Promise<void> {
    for (;;) {
      try {
        await (await open(lock, 'wx', 0o600)).close();
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const held = await stat(lock).catch(() => undefined);
      if (held !== undefined && Date.now() - held.mtimeMs > LOCK_STALE_MS) await rm(lock, { force: true });
      else await wait(LOCK_AGAIN_MS);
    }
  }

  return {
    path,
    async read() {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
      const parsed = schema.safeParse(jsonOf(text));
      if (!parsed.success) throw new CliError(`${path} is damaged. Delete it and run ares login.`);
      return parsed.data;
    },
    async write(session) {
      const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
      // Only its owner can read it, from its first byte.
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(`${JSON.stringify(session, null, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    },
    remove: () => rm(path, { force: true }),
    async alone(work) {
      await acquire();
      try {
        return await work();
      } finally {
        await rm(lock, { force: true });
      }
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
