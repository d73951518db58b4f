import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import type { Schema } from '../database/schema.ts';
import type { CloudDatabase, NoticeKind, Notices } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';

export interface PgConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** With TLS, and the server's certificate verified against these roots or those that Node trusts. */
  readonly ssl?: { readonly rejectUnauthorized: true; readonly ca?: string };
}

const CHANNEL = 'ares';
const RECONNECT_MS = 500;
const CONNECT_WITHIN_MS = 5_000;
/** An unanswered beat is given up after two: a connection that was lost without a word is noticed within 5 s. */
const BEAT_MS = 1_500;
/** PostgreSQL's own limit for a notice is 8,000 bytes. */
const NOTICE_BYTES = 7_900;

type Heard = { readonly heard: (notice: never) => void; readonly missed: () => void };

/** int8 counters of Ares stay below 2^53; as text they would compare as text. */
const types = {
  getTypeParser: ((oid: number, format?: never) =>
    oid === pg.types.builtins.INT8
      ? Number
      : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** PostgreSQL by `pg` and kysely. One further connection listens for notices. */
export function openPgDatabase(options: {
  readonly connection: PgConnection;
  readonly log: Logger;
  readonly poolSize?: number;
  /** How often the listening connection is tried. Default 1.5 s. */
  readonly beatMs?: number;
}): CloudDatabase {
  const { connection, log, beatMs = BEAT_MS } = options;
  const pool = new pg.Pool({
    ...connection,
    max: options.poolSize ?? 10,
    types,
    connectionTimeoutMillis: 10_000,
  });
  // A connection that the server ends must not end the process: neither an idle one, nor one that is lent out,
  // whose failure its query reports as well.
  pool.on('error', (error) => log.warn({ error: error.message }, 'a database connection was lost'));
  pool.on('connect', (client) => client.on('error', () => undefined));
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });

  const listeners = new Map<NoticeKind, Set<Heard>>();
  let listening: pg.Client | undefined;
  let starting: Promise<void> | undefined;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  const dispatch = (payload: string) => {
    const { kind, notice } = JSON.parse(payload) as { kind: NoticeKind; notice: never };
    for (const { heard } of listeners.get(kind) ?? []) heard(notice);
  };
  const missed = () => {
    for (const set of listeners.values()) for (const listener of set) listener.missed();
  };
  const connectListener = async () => {
    const client = new pg.Client({
      ...connection,
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
      query_timeout: 2 * beatMs,
    });
    client.on('notification', ({ payload }) => payload !== undefined && dispatch(payload));
    client.on('error', () => undefined);
    // Whoever only listens would wait for ever at a connection that is gone.
    const beat = setInterval(() => {
      client.query('select').catch(() => client.end());
    }, beatMs).unref();
    client.on('end', () => {
      clearInterval(beat);
      listening = undefined;
      if (!closed) retry = setTimeout(ensureListener, RECONNECT_MS);
    });
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
    listening = client;
    missed();
  };
  function ensureListener(): void {
    if (closed || listening !== undefined || starting !== undefined) return;
    starting = connectListener()
      .catch((error: Error) => {
        log.warn({ error: error.message }, 'the listening connection to the database is down');
        if (!closed) retry = setTimeout(ensureListener, RECONNECT_MS);
      })
      .finally(() => {
        starting = undefined;
      });
  }

  return {
    db,
    async notify(queries, kind, notice) {
      const payload = JSON.stringify({ kind, notice });
      if (Buffer.byteLength(payload) > NOTICE_BYTES) throw new RangeError(`A ${kind} notice is too long.`);
      await sql`select pg_notify(${CHANNEL}, ${payload})`.execute(queries);
    },
    listen<K extends NoticeKind>(kind: K, heard: (notice: Notices[K]) => void, missedNotices: () => void) {
      const entry: Heard = { heard: heard as (notice: never) => void, missed: missedNotices };
      const set = listeners.get(kind) ?? new Set();
      listeners.set(kind, set.add(entry));
      ensureListener();
      return () => set.delete(entry);
    },
    async healthy() {
      try {
        await sql`select 1`.execute(db);
        return true;
      } catch {
        return false;
      }
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      await starting;
      await listening?.end();
      await db.destroy();
    },
  };
}
