import { spawnSync } from 'node:child_process';
import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { removeDurably, writeDurably } from './durable-file.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';

/** Who started the server on a folder: a pid alone may have been given to another program since. */
type Owner = { readonly pid: number; readonly startTime: string; readonly bootId: string };

/** How long a server whose owner died may take to end before we give up on it. */
const ORPHAN_PATIENCE_MS = 10_000;
/** How long the sessions of a killed server may take to notice. */
const REMAINS_PATIENCE_MS = 3_000;

/**
 * Makes sure that no server runs on the folder and notes this process as its owner. A server whose owner died is
 * ending already (or is told to) and is waited for; one with a living owner, or of somebody unknown, is left alone.
 * @throws {EmbeddedPostgresError} IN_USE
 */
export async function claimFolder(home: string): Promise<void> {
  const data = await realpath(join(home, 'data')).catch(() => join(home, 'data'));
  const owner = await readOwner(home);
  if (owner && (await isAlive(owner))) throw inUse(home, owner.pid);

  const deadline = Date.now() + (owner ? ORPHAN_PATIENCE_MS : REMAINS_PATIENCE_MS);
  let told = false;
  for (;;) {
    const pids = await processesIn(data);
    if (pids.length === 0 && lockState(home) !== 'held') break;
    if (Date.now() > deadline) throw inUse(home, pids[0]);
    const postmaster = await readPostmasterPid(data);
    if (owner && !told && postmaster && pids.includes(postmaster)) {
      process.kill(postmaster, 'SIGINT');
      told = true;
    }
    await delay(20);
  }
  await removeStalePidFile(home, data);
  await writeDurably(ownerFile(home), JSON.stringify(await describeOwner(process.pid)));
}

/** The server has ended: the next one to start need not ask whether we live. */
export async function releaseFolder(home: string): Promise<void> {
  await removeDurably(ownerFile(home));
}

/** Words before the server's command that hold the folder's lock until its last process has ended. */
export function lockWords(home: string): readonly string[] {
  return lockState(home) === 'unknown' ? [] : holdingLock(home);
}

/**
 * PostgreSQL refuses to start while the pid in `postmaster.pid` lives, even when it was given to another program
 * since (common after a restart of a container). No process has the folder open and nobody, in any container,
 * holds its lock, so the file is a leftover. Without `flock` this cannot be known, and PostgreSQL decides.
 */
async function removeStalePidFile(home: string, data: string): Promise<void> {
  if (lockState(home) === 'free') await rm(join(data, 'postmaster.pid'), { force: true });
}

/** Held by a server and by each of its sessions, so also by one that runs in another container. */
function lockState(home: string): 'free' | 'held' | 'unknown' {
  const [program, ...args] = [...holdingLock(home), 'true'];
  const { status } = spawnSync(program!, args, { stdio: 'ignore' });
  if (status === 0) return 'free';
  return status === 1 ? 'held' : 'unknown';
}

function holdingLock(home: string): string[] {
  return ['flock', '--nonblock', '--no-fork', join(home, 'lock')];
}

/** Every process whose working folder is the data folder: the server and its sessions, nobody else's. */
async function processesIn(data: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const cwd = await readlink(`/proc/${name}/cwd`).catch(() => undefined);
    if (cwd === data) found.push(Number(name));
  }
  return found;
}

async function readPostmasterPid(data: string): Promise<number | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return pid > 1 ? pid : undefined;
}

function ownerFile(home: string): string {
  return join(home, 'owner.json');
}

async function readOwner(home: string): Promise<Owner | undefined> {
  const text = await readFile(ownerFile(home), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Owner);
}

async function describeOwner(pid: number): Promise<Owner | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The second field is the program's name, which may hold spaces; the start time is field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return fields[0] === 'Z' ? undefined : { pid, startTime: fields[19] ?? '', bootId };
}

async function isAlive(owner: Owner): Promise<boolean> {
  const now = await describeOwner(owner.pid);
  return now !== undefined && now.startTime === owner.startTime && now.bootId === owner.bootId;
}

function inUse(home: string, pid: number | undefined): EmbeddedPostgresError {
  const who =
    pid === undefined ? 'a process that cannot be seen from here (another container?)' : `process ${pid}`;
  return new EmbeddedPostgresError(
    'IN_USE',
    `The database in ${home} is in use by ${who}. Stop that first, or use another ARES_HOME.`,
  );
}
