import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Logger } from '../ports/logger.ts';

/** An open database that survives a power cut: WAL, every commit synced. */
export interface Database {
  readonly sql: DatabaseSync;
  /** A statement, prepared once. */
  prepare(text: string): StatementSync;
  /** All or nothing; synchronous, so nothing of this process comes between. */
  transaction<T>(work: () => T): T;
  /** The same, but a power cut may undo it until the next one is committed: it costs no sync of its own. */
  lazyTransaction<T>(work: () => T): T;
  close(): void;
}

/** The files that make up one database. */
function databaseFiles(path: string): string[] {
  return [path, `${path}-wal`, `${path}-shm`];
}

export function deleteDatabase(path: string): void {
  for (const file of databaseFiles(path)) rmSync(file, { force: true });
}

/**
 * Opens `path`, makes its tables, and checks it. A database that cannot be read is set aside under another name
 * and a new one begun; `damaged` says so, because its owner has to act on what is lost.
 *
 * @throws {Error} the file system refuses (read only, full, no rights): nothing is set aside then
 */
export function openDatabase(options: {
  readonly path: string;
  readonly schema: string;
  readonly logger: Logger;
  /** Part of the name of a database set aside. */
  readonly now: () => number;
}): Database & { readonly damaged: string | undefined } {
  const { path, schema, logger, now } = options;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    return { ...open(path, schema), damaged: undefined };
  } catch (cause) {
    if (!isCorrupt(cause) || !existsSync(path)) throw cause;
    const aside = `${path}.damaged-${now()}`;
    for (const file of databaseFiles(path)) if (existsSync(file)) renameSync(file, file.replace(path, aside));
    const damaged = `${path} was damaged (${cause instanceof Error ? cause.message : String(cause)})`;
    logger.error('database damaged; it was set aside and a new one begun', { path, aside, cause });
    return { ...open(path, schema), damaged };
  }
}

function open(path: string, schema: string): Database {
  const sql = new DatabaseSync(path, { timeout: 2_000 });
  try {
    // Small caches: the resident process counts its memory. FULL: a commit that returned survives a power cut.
    sql.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -512; PRAGMA wal_autocheckpoint = 256;',
    );
    const check = sql.prepare('PRAGMA quick_check(1)').get() as { quick_check: string } | undefined;
    if (check?.quick_check !== 'ok') throw new CorruptError(check?.quick_check ?? 'no answer of quick_check');
    sql.exec(schema);
  } catch (cause) {
    sql.close();
    throw cause;
  }
  const statements = new Map<string, StatementSync>();
  const transaction = <T>(work: () => T): T => {
    sql.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      sql.exec('COMMIT');
      return result;
    } catch (cause) {
      // A full disk has rolled back by itself already.
      if (sql.isTransaction) sql.exec('ROLLBACK');
      throw cause;
    }
  };
  return {
    sql,
    prepare: (text) => {
      let statement = statements.get(text);
      if (statement === undefined) {
        statement = sql.prepare(text);
        statements.set(text, statement);
      }
      return statement;
    },
    transaction,
    lazyTransaction: (work) => {
      sql.exec('PRAGMA synchronous = NORMAL');
      try {
        return transaction(work);
      } finally {
        sql.exec('PRAGMA synchronous = FULL');
      }
    },
    close: () => {
      statements.clear();
      sql.close();
    },
  };
}

class CorruptError extends Error {
  override readonly name = 'CorruptError';
}

const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;
const diskCodes = [SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN];

function isCorrupt(cause: unknown): boolean {
  if (cause instanceof CorruptError) return true;
  const code = sqliteCode(cause);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** Whether the disk was full. */
export function isDiskFull(cause: unknown): boolean {
  return sqliteCode(cause) === SQLITE_FULL;
}

/** Whether the disk took nothing: full, read only, broken, without room for another file. */
export function cannotWrite(cause: unknown): boolean {
  const code = sqliteCode(cause);
  return code !== undefined && diskCodes.includes(code);
}

/** Primary result code of SQLite. */
function sqliteCode(cause: unknown): number | undefined {
  if (!(cause instanceof Error) || !('errcode' in cause)) return undefined;
  return Number(cause.errcode) & 0xff;
}
