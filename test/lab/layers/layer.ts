import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** Where layers are kept between runs. */
export const cacheFolder = process.env['ARES_LAB_CACHE'] ?? join(homedir(), '.cache', 'ares-lab');

/** A folder of finished files that a later layer or a VM is made from. */
export interface Layer {
  readonly name: string;
  /** Changes with everything the layer was made from, so the key of a later layer contains it. */
  readonly key: string;
  readonly folder: string;
}

export interface LayerRecipe {
  readonly name: string;
  /** Everything that decides the content: versions, texts of scripts, keys of earlier layers. */
  readonly inputs: readonly string[];
  /** Fills the folder, which is empty. */
  build(folder: string): Promise<void>;
}

/** The layer from the cache, or built and kept there. Two runs at once build it once. */
export async function layer(recipe: LayerRecipe): Promise<Layer> {
  const key = createHash('sha256').update(JSON.stringify(recipe.inputs)).digest('hex').slice(0, 16);
  const folder = join(cacheFolder, `${recipe.name}-${key}`);
  const done = { name: recipe.name, key, folder };
  if (!existsSync(folder)) {
    mkdirSync(cacheFolder, { recursive: true });
    await withLock(join(cacheFolder, `${recipe.name}.lock`), async () => {
      if (existsSync(folder)) return;
      const started = Date.now();
      const partial = join(cacheFolder, `${recipe.name}.partial`);
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial);
      await recipe.build(partial);
      renameSync(partial, folder);
      forgetOld(recipe.name);
      console.error(`lab: ${recipe.name} built in ${((Date.now() - started) / 1_000).toFixed(1)} s`);
    });
  }
  // The age says when the layer was used last.
  utimesSync(folder, new Date(), new Date());
  return done;
}

/** How many of a layer stay, so that going back and forth between branches builds nothing. */
const KEEP = 4;
/** A run that is going on may still start machines from what is younger. */
const IN_USE_MS = 2 * 3_600_000;

/** Removes layers of a name that were not used for the longest time. */
function forgetOld(name: string): void {
  const layers = readdirSync(cacheFolder)
    .filter((entry) => new RegExp(`^${name}-[0-9a-f]{16}$`).test(entry))
    .map((entry) => join(cacheFolder, entry))
    .map((folder) => ({ folder, usedMs: statSync(folder).mtimeMs }))
    .toSorted((a, b) => b.usedMs - a.usedMs);
  for (const { folder, usedMs } of layers.slice(KEEP))
    if (Date.now() - usedMs > IN_USE_MS) rmSync(folder, { recursive: true, force: true });
}

/** Runs the work when no other process holds the lock; a lock of a dead process counts for nothing. */
export async function withLock(file: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (isRunning(holder(file))) await wait(200);
    else rmSync(file, { force: true });
  }
  try {
    await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function holder(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
}

/** Whether a process of this number is there. */
export function isRunning(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
