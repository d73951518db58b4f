import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { hasCode } from './durable-file.ts';
import { claimFolder, lockWords, releaseFolder } from './embedded-postgres-claim.ts';
import { diskFull, explainFailure } from './embedded-postgres-error.ts';
import {
  clearSocketFolder,
  findSocketFolder,
  initialise,
  prepareServerFolder,
  prepareSocketFolder,
  ROLE,
  readPassword,
  serverEnvironment,
} from './embedded-postgres-folder.ts';
import { chooseLauncher, findBinaries, type Launcher } from './embedded-postgres-launcher.ts';

export { EmbeddedPostgresError } from './embedded-postgres-error.ts';

export type EmbeddedPostgresOptions = {
  /** A folder of its own, made when missing (0700): data, password and socket live in it. At most one server uses it. */
  readonly dataDir: string;
  /** Gets each line that the server writes. */
  readonly log: (line: string) => void;
  /** Where the socket goes; by default inside `dataDir`, or in a private folder of /tmp when that path is too long. */
  readonly socketDir?: string;
  /** Only tests set this to false: a power cut may then lose or corrupt everything. */
  readonly fsync?: boolean;
  /** Only tests set this: how the server is started instead of what suits this machine. */
  readonly launcher?: Launcher;
};

/** How to reach the server, in the words of `pg`. Unix socket: no other machine and no other user can. */
export type PostgresConnection = {
  /** The folder of the socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

type PostgresExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type EmbeddedPostgres = {
  readonly connection: PostgresConnection;
  readonly pid: number;
  /** Settles when the server has ended, wanted or not. After an unwanted end start it again: same connection. */
  readonly exited: Promise<PostgresExit>;
  /** Ends sessions and server in an orderly way, and the hard (still safe) way after 3.5 s. */
  stop(): Promise<void>;
  /** An empty database; with `template`, a copy of that one (which nobody may be connected to). */
  createDatabase(name: string, options?: { readonly template?: string }): Promise<PostgresConnection>;
};

/** On a Unix socket the port is only a part of a file name. */
const PORT = 5432;
const ORDERLY_STOP_MS = 3_500;
const READY = 'database system is ready to accept connections';

/**
 * Starts PostgreSQL on a folder: makes the database on first use, repairs what a kill left behind, recovers after
 * a crash. The server is in a process group of its own (Ctrl-C does not reach it) and ends when this process dies.
 * Call it on the main thread: the kernel ties the server's life to the thread that started it.
 * @throws {EmbeddedPostgresError}
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const home = resolve(options.dataDir);
  const fsync = options.fsync ?? true;
  try {
    const binaries = await findBinaries();
    const launcher = options.launcher ?? chooseLauncher(binaries);
    await prepareServerFolder(home, launcher);
    await claimFolder(home);
    try {
      await initialise({ home, binaries, launcher, fsync, log: options.log });
      const socketFolder = await prepareSocketFolder(home, options.socketDir, launcher);
      await clearSocketFolder(socketFolder);
      const password = await readPassword(home);
      const command = [...lockWords(home), ...launcher.prefix, binaries.postgres];
      const server = await spawnServer({ home, socketFolder, command, fsync, log: options.log });
      const connection = { host: socketFolder, port: PORT, user: ROLE, password, database: ROLE };
      return handleOf({ server, connection, home, ownSocketFolder: options.socketDir === undefined });
    } catch (error) {
      await releaseFolder(home);
      throw error;
    }
  } catch (error) {
    throw hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT') ? diskFull(home, error) : error;
  }
}

/**
 * How to reach the server that another process of this user runs on the folder.
 * @throws {EmbeddedPostgresError} FOREIGN_FOLDER when there is no database of Ares
 */
export async function runningPostgres(dataDir: string): Promise<PostgresConnection> {
  const home = resolve(dataDir);
  const password = await readPassword(home);
  return { host: await findSocketFolder(home), port: PORT, user: ROLE, password, database: ROLE };
}

function settings(socketFolder: string, fsync: boolean): Record<string, string> {
  return {
    listen_addresses: '',
    unix_socket_directories: `"${socketFolder}"`,
    unix_socket_permissions: '0700',
    password_encryption: 'scram-sha-256',
    max_connections: '100',
    // A file in the data folder, not in /dev/shm: nothing is left on the machine after a kill.
    dynamic_shared_memory_type: 'mmap',
    // Failed statements are reported to their caller; here they could carry somebody's data into a log.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_timezone: 'UTC',
    timezone: 'UTC',
    lc_messages: 'C',
    ...(fsync ? { fsync: 'on' } : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
}

async function spawnServer(job: {
  readonly home: string;
  readonly socketFolder: string;
  readonly command: readonly string[];
  readonly fsync: boolean;
  readonly log: (line: string) => void;
}): Promise<ChildProcess & { readonly pid: number }> {
  const [program, ...prefix] = job.command;
  const parameters = Object.entries(settings(job.socketFolder, job.fsync)).flatMap(([key, value]) => [
    '-c',
    `${key}=${value}`,
  ]);
  const server = spawn(program!, [...prefix, '-D', join(job.home, 'data'), ...parameters], {
    cwd: job.home,
    env: serverEnvironment(),
    // A session of its own: the terminal's Ctrl-C goes to the whole group and must not stop the database first.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const last: string[] = [];
  const lines = createInterface({ input: server.stderr! });
  await new Promise<void>((ready, fail) => {
    lines.on('line', (line) => {
      job.log(line);
      last.push(line);
      if (last.length > 50) last.shift();
      if (line.includes(READY)) ready();
    });
    server.once('error', fail);
    server.once('close', () => fail(explainFailure('starting', job.home, last)));
  });
  return server as ChildProcess & { readonly pid: number };
}

function handleOf(parts: {
  readonly server: ChildProcess & { readonly pid: number };
  readonly connection: PostgresConnection;
  readonly home: string;
  readonly ownSocketFolder: boolean;
}): EmbeddedPostgres {
  const { server, connection, home } = parts;
  const exited = (async (): Promise<PostgresExit> => {
    const [code, signal] = (await once(server, 'exit')) as [number | null, NodeJS.Signals | null];
    // When the folder itself has been removed meanwhile, there is nothing to release.
    await releaseFolder(home).catch(() => undefined);
    return { code, signal };
  })();
  return {
    connection,
    pid: server.pid,
    exited,
    async stop() {
      server.kill('SIGINT');
      const hard = setTimeout(() => server.kill('SIGQUIT'), ORDERLY_STOP_MS);
      const harder = setTimeout(() => server.kill('SIGKILL'), ORDERLY_STOP_MS + 1_000);
      await exited;
      clearTimeout(hard);
      clearTimeout(harder);
      if (parts.ownSocketFolder) await rmdir(connection.host).catch(() => undefined);
    },
    async createDatabase(name, { template } = {}) {
      const client = new pg.Client(connection);
      await client.connect();
      try {
        const from = template === undefined ? '' : ` TEMPLATE ${client.escapeIdentifier(template)}`;
        await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}${from}`);
      } finally {
        await client.end();
      }
      return { ...connection, database: name };
    },
  };
}
