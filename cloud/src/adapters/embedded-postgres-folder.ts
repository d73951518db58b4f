import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hasCode, preparePrivateFolder, syncFolder, writeDurably } from './durable-file.ts';
import { EmbeddedPostgresError, explainFailure } from './embedded-postgres-error.ts';
import { type Binaries, canUse, type Launcher } from './embedded-postgres-launcher.ts';

/** The role that Ares uses: owner of its databases, no superuser, so an injected statement cannot run programs. */
export const ROLE = 'ares';

const BEING_MADE = 'data.new-';

/** `sun_path` holds 107 bytes, of which `/.s.PGSQL.5432` takes 14. */
const LONGEST_SOCKET_FOLDER = 90;

/** Makes a folder that the server's user owns and nobody else can enter. */
export async function prepareServerFolder(folder: string, launcher: Launcher): Promise<void> {
  await preparePrivateFolder(folder);
  if (!launcher.runsAs) return;
  await chown(folder, launcher.runsAs.uid, launcher.runsAs.gid);
  if (!canUse(launcher, folder)) {
    throw new EmbeddedPostgresError(
      'NO_UNPRIVILEGED_USER',
      `PostgreSQL must run as user "${launcher.runsAs.name}" here, and that user cannot enter ${folder}. Start Ares as an ordinary user, or set ARES_HOME to a folder that others may enter.`,
    );
  }
}

/**
 * Makes the database in a folder beside its place and moves it there when it is whole, so that a kill at any
 * instant leaves either no database or a complete one. Leftovers of killed attempts are removed.
 * @throws {EmbeddedPostgresError} DISK_FULL, FOREIGN_FOLDER, START_FAILED
 */
export async function initialise(options: {
  readonly home: string;
  readonly binaries: Binaries;
  readonly launcher: Launcher;
  readonly fsync: boolean;
  readonly log: (line: string) => void;
}): Promise<void> {
  const { home, binaries, launcher, fsync, log } = options;
  const data = join(home, 'data');
  for (const name of await readdir(home)) {
    // A killed attempt may still be dying and write while we delete; then the next start finishes this.
    if (name.startsWith(BEING_MADE))
      await rm(join(home, name), { recursive: true, force: true }).catch(() => undefined);
  }
  const content = await readdir(data).catch(() => [] as string[]);
  if (content.includes('PG_VERSION')) return;
  if (content.length > 0) {
    throw new EmbeddedPostgresError(
      'FOREIGN_FOLDER',
      `${data} holds no database but other files. Move them away.`,
    );
  }

  const making = join(home, BEING_MADE + randomBytes(6).toString('hex'));
  const run = (program: string, args: readonly string[], input?: string) =>
    runToEnd({ command: [...launcher.prefix, program, ...args], cwd: home, log, ...(input && { input }) });
  try {
    // The superuser can never log in: pg_hba.conf below names one role only.
    const made = await run(binaries.initdb, [
      `--pgdata=${making}`,
      '--username=postgres',
      '--auth=reject',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--locale=C.UTF-8',
      '--lc-messages=C',
      '--data-checksums',
      ...(fsync ? [] : ['--no-sync']),
    ]);
    if (made.code !== 0) throw explainFailure('making the database', home, made.lines);

    const password = randomBytes(32).toString('base64url');
    const statements = `CREATE ROLE ${ROLE} LOGIN CREATEDB PASSWORD '${password}';\nCREATE DATABASE ${ROLE} OWNER ${ROLE};\n`;
    const single = ['--single', '-D', making, ...(fsync ? [] : ['-F']), 'postgres'];
    const settled = await run(binaries.postgres, single, statements);
    if (settled.code !== 0 || settled.lines.some((line) => /\bERROR:/.test(line))) {
      throw explainFailure('making the database', home, settled.lines);
    }
    await writeForServer(join(making, 'pg_hba.conf'), `local all ${ROLE} scram-sha-256\n`, launcher);
    await writeDurably(passwordFile(making), password);
    await rename(making, data);
    await syncFolder(home);
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw error;
  }
}

/** The role's password, made with the database. */
export async function readPassword(home: string): Promise<string> {
  const path = passwordFile(join(home, 'data'));
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new EmbeddedPostgresError(
      'FOREIGN_FOLDER',
      `${join(home, 'data')} holds a database that Ares did not make: ${path} is missing. Restore that file, or move the folder away.`,
    );
  }
}

/**
 * A private folder for the socket: the wanted one, or, as the path of a socket is limited to 107 bytes, one in
 * the temporary folder. That one is remembered, so a restart after a crash finds the same connection.
 */
export async function prepareSocketFolder(
  home: string,
  wanted: string | undefined,
  launcher: Launcher,
): Promise<string> {
  const folder = wanted ?? join(home, 'run');
  if (Buffer.byteLength(folder) <= LONGEST_SOCKET_FOLDER && !/[",\n]/.test(folder)) {
    await prepareServerFolder(folder, launcher);
    return folder;
  }
  const remembered = await rememberedSocketFolder(home);
  if (remembered && (await isPrivate(remembered, launcher))) return remembered;
  const made = await mkdtemp(join(tmpdir(), 'ares-pg-'));
  await chmod(made, 0o700);
  await prepareServerFolder(made, launcher);
  await writeDurably(join(home, 'socket-folder'), made);
  return made;
}

/** Where the socket of the server that runs on the folder lies. */
export async function findSocketFolder(home: string): Promise<string> {
  return (await rememberedSocketFolder(home)) ?? join(home, 'run');
}

function rememberedSocketFolder(home: string): Promise<string | undefined> {
  return readFile(join(home, 'socket-folder'), 'utf8').catch(() => undefined);
}

/** Removes what a killed server left in its socket folder; the caller knows that no server is running. */
export async function clearSocketFolder(folder: string): Promise<void> {
  for (const name of ['.s.PGSQL.5432', '.s.PGSQL.5432.lock']) await rm(join(folder, name), { force: true });
}

function passwordFile(data: string): string {
  return join(data, 'ares.password');
}

async function writeForServer(path: string, content: string, launcher: Launcher): Promise<void> {
  await writeDurably(path, content);
  if (launcher.runsAs) await chown(path, launcher.runsAs.uid, launcher.runsAs.gid);
}

/** A name in a shared temporary folder proves nothing: somebody else may have made it meanwhile. */
async function isPrivate(folder: string, launcher: Launcher): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined);
  return (
    found?.isDirectory() === true &&
    found.uid === (launcher.runsAs?.uid ?? process.getuid?.()) &&
    (found.mode & 0o77) === 0
  );
}

type Finished = { readonly code: number | null; readonly lines: readonly string[] };

function runToEnd(job: {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly log: (line: string) => void;
  readonly input?: string;
}): Promise<Finished> {
  const [program, ...args] = job.command;
  const child = spawn(program!, args, {
    cwd: job.cwd,
    env: serverEnvironment(),
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      job.log(line);
    });
  }
  // A program that dies before it reads its input is reported by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(job.input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, lines }));
  });
}

/** Nothing of this process's environment but where programs are: no secret, no PG* setting, messages in English. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}
