import { createHmac, timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import type { CloudDatabase, Queries } from '../ports/database.ts';

/** Rows that one transaction chains, and that a check reads at once. */
const BATCH = 1_000;
/** Of the advisory lock under which rows get their places. */
const LOCK = 4_714_001;
const BEGINNING = Buffer.alloc(32);

/** A place in the chain: written down elsewhere, it proves later that nothing before it was taken away. */
export interface ChainHead {
  readonly seq: number;
  /** 64 lower-case hex digits. */
  readonly mac: string;
}

/** What a check found; `problem` is the first one, and what comes after it says nothing. */
export interface ChainReport {
  readonly rows: number;
  readonly head: ChainHead | undefined;
  /** Rows too young to have a place. */
  readonly unchained: number;
  readonly problem?: {
    readonly code: 'CHANGED' | 'MISSING' | 'HEAD_MISSING';
    readonly seq: number;
    readonly message: string;
  };
}

/**
 * The chain of the audit log: each row's link is HMAC-SHA-256, under a key that the database does not hold, of the link
 * before and of every column. Who changes, removes or inserts a row without the key breaks it.
 */
export function createAuditChain(options: {
  readonly database: Pick<CloudDatabase, 'db'>;
  /** 32 bytes, the same in every process and for ever. */
  readonly key: Uint8Array;
}): {
  /** Gives rows their places in the order in which they were committed. Answers the new head, if there were any. */
  extend(): Promise<ChainHead | undefined>;
  /** Reads the whole chain. @param known a head that was written down before */
  verify(known?: ChainHead): Promise<ChainReport>;
} {
  const { database, key } = options;

  return {
    async extend() {
      for (let head: ChainHead | undefined; ; ) {
        const next = await database.db.transaction().execute((queries) => extendOnce(queries, key));
        if (next === undefined) return head;
        head = next;
      }
    },
    async verify(known) {
      const { count } = await database.db
        .selectFrom('audit_log')
        .where('chain_seq', 'is', null)
        .select((is) => is.fn.countAll<string>().as('count'))
        .executeTakeFirstOrThrow();
      const unchained = Number(count);
      let head: ChainHead | undefined;
      let previous: Buffer = BEGINNING;
      for (;;) {
        const seq = head?.seq ?? 0;
        const rows = await chained(database.db, seq);
        if (rows.length === 0) break;
        for (const row of rows) {
          const expected = (head?.seq ?? 0) + 1;
          const report = { rows: expected - 1, head, unchained };
          if (Number(row.chain_seq) !== expected) {
            const message = `Row ${expected} of the chain is missing.`;
            return { ...report, problem: { code: 'MISSING', seq: expected, message } };
          }
          const mac = link(key, previous, expected, row);
          if (row.chain_mac === null || !equal(mac, row.chain_mac)) {
            const message = `Row ${expected} of the chain (id ${row.id}) was changed, or a row before it removed.`;
            return { ...report, problem: { code: 'CHANGED', seq: expected, message } };
          }
          if (known?.seq === expected && known.mac !== mac.toString('hex')) return otherHead(report, known);
          previous = mac;
          head = { seq: expected, mac: mac.toString('hex') };
        }
      }
      const report = { rows: head?.seq ?? 0, head, unchained };
      return known !== undefined && known.seq > report.rows ? otherHead(report, known) : report;
    },
  };
}

function otherHead(report: Omit<ChainReport, 'problem'>, { seq }: ChainHead): ChainReport {
  const message = `The chain does not have the head at ${seq} that was written down: rows at its end were removed.`;
  return { ...report, problem: { code: 'HEAD_MISSING', seq, message } };
}

async function extendOnce(queries: Queries, key: Uint8Array): Promise<ChainHead | undefined> {
  await sql`select pg_advisory_xact_lock(${LOCK})`.execute(queries);
  const last = await queries
    .selectFrom('audit_log')
    .where('chain_seq', 'is not', null)
    .orderBy('chain_seq', 'desc')
    .select(['chain_seq', 'chain_mac'])
    .limit(1)
    .executeTakeFirst();
  const rows = await contents(queries).where('chain_seq', 'is', null).orderBy('id').limit(BATCH).execute();
  let seq = Number(last?.chain_seq ?? 0);
  let mac: Buffer = last?.chain_mac ?? BEGINNING;
  for (const row of rows) {
    seq += 1;
    mac = link(key, mac, seq, row);
    await queries
      .updateTable('audit_log')
      .set({ chain_seq: seq, chain_mac: mac })
      .where('id', '=', row.id)
      .execute();
  }
  return rows.length === 0 ? undefined : { seq, mac: mac.toString('hex') };
}

/** Every column, times and JSON in the one form that PostgreSQL writes them. */
function contents(queries: Queries) {
  return queries
    .selectFrom('audit_log')
    .select([
      'id',
      'actor_user_id',
      'action',
      'object_type',
      'object_id',
      'source',
      'chain_seq',
      'chain_mac',
      sql<string>`(extract(epoch from at) * 1000000)::bigint::text`.as('at_us'),
      sql<string>`detail::text`.as('detail_text'),
    ]);
}

function chained(queries: Queries, after: number) {
  return contents(queries).where('chain_seq', '>', after).orderBy('chain_seq').limit(BATCH).execute();
}

type Row = Awaited<ReturnType<typeof chained>>[number];

function link(key: Uint8Array, previous: Uint8Array, seq: number, row: Row): Buffer {
  const columns = [
    seq,
    String(row.id),
    row.at_us,
    row.actor_user_id,
    row.action,
    row.object_type,
    row.object_id,
    row.detail_text,
    row.source,
  ];
  return createHmac('sha256', key).update(previous).update(JSON.stringify(columns)).digest();
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
