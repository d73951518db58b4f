import type { Reading, ReadingProblem } from '@ares/protocol';
import type { Database } from './database.ts';
import { cannotWrite } from './database.ts';
import type { BootRow, MeasuredTime, NewReading, Outbox, OutboxStats, StoredReading, Tick } from './types.ts';

export const outboxSchema = `
  CREATE TABLE IF NOT EXISTS boots (
    boot_order INTEGER PRIMARY KEY AUTOINCREMENT,
    boot_id TEXT NOT NULL UNIQUE,
    boot_count INTEGER NOT NULL,
    next_seq INTEGER NOT NULL DEFAULT 1,
    last_uptime_ms INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE IF NOT EXISTS readings (
    boot_order INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    component_id INTEGER NOT NULL,
    component_type TEXT NOT NULL,
    metric TEXT NOT NULL,
    value REAL NOT NULL,
    measured_at INTEGER,
    uptime_ms INTEGER,
    suspect INTEGER NOT NULL,
    PRIMARY KEY (boot_order, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    boot_id TEXT NOT NULL,
    component_type TEXT NOT NULL,
    reading TEXT NOT NULL,
    code TEXT NOT NULL,
    refused_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, content TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Bounds of the outbox. Beyond them the oldest readings are dropped, counted and reported. */
export interface OutboxQuota {
  readonly maxRows: number;
  readonly maxBytes: number;
  readonly maxDeadLetters: number;
}

/** More than three days at one reading a second. */
export const defaultOutboxQuota: OutboxQuota = {
  maxRows: 500_000,
  maxBytes: 128 * 1024 * 1024,
  maxDeadLetters: 1_000,
};

/** What readings may take of the disk however full it is. */
const ALWAYS_BYTES = 1024 * 1024;
/** Free pages that hold the readings of one tick: so many are left before old readings make room. */
const SPARE_PAGES = 4;

/** Rows dropped at once when the quota is reached: dropping one by one would cost a search each time. */
const DROP_STEP = 500;

interface Row {
  boot_order: number;
  boot_id: string;
  boot_count: number;
  last_uptime_ms: number;
  seq: number;
  component_id: number;
  component_type: string;
  metric: string;
  value: number;
  measured_at: number | null;
  uptime_ms: number | null;
  suspect: number;
}

/** What readings are lost to. */
export type Loss = 'quota' | 'disk low' | 'disk';

/**
 * The outbox in one database.
 * @param options.mayGrow whether the database may take more of the disk; else the oldest readings make room
 * @param options.onDropped called with the number of readings lost, and to what
 */
export function createOutbox(options: {
  readonly database: Database;
  readonly quota: OutboxQuota;
  readonly mayGrow: () => boolean;
  readonly onDropped: (count: number, why: Loss, cause?: unknown) => void;
}): Outbox {
  const { database, quota, mayGrow, onDropped } = options;
  const { prepare } = database;
  const number = (text: string) => Number(Object.values(prepare(text).get() as Record<string, number>)[0]);
  /** Lost to a disk that takes nothing, where not even this can be written down; it is with the next reading that fits. */
  let unwritten = 0;
  let rows = number('SELECT count(*) FROM readings');
  let current: BootRow | undefined;

  const sparePages = () => number('PRAGMA freelist_count');
  const bytes = () =>
    (number('PRAGMA page_count') - number('PRAGMA freelist_count')) * number('PRAGMA page_size');
  const addToTotal = (name: string, count: number) =>
    prepare(
      'INSERT INTO totals (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value',
    ).run(name, count);
  const total = (name: string) =>
    (prepare('SELECT value FROM totals WHERE name = ?').get(name) as { value: number } | undefined)?.value ??
    0;

  const dropped = () => total('dropped') + unwritten;

  const dropOldest = (count: number): number =>
    Number(
      prepare(
        `DELETE FROM readings WHERE (boot_order, seq) IN
           (SELECT boot_order, seq FROM readings ORDER BY boot_order, seq LIMIT ?)`,
      ).run(count).changes,
    );
  /** Inside of the insert's transaction: room for `coming` rows. */
  const makeRoom = (coming: number): { count: number; why: Loss } => {
    const tooMany = rows + coming - quota.maxRows;
    const wanted = tooMany > 0 ? Math.max(tooMany, Math.min(DROP_STEP, Math.ceil(quota.maxRows / 100))) : 0;
    const tooLarge = bytes() > quota.maxBytes;
    const why = wanted > 0 || tooLarge ? 'quota' : 'disk low';
    if (why === 'disk low' && (bytes() < ALWAYS_BYTES || sparePages() >= SPARE_PAGES || mayGrow()))
      return { count: 0, why };
    const count = dropOldest(wanted === 0 ? DROP_STEP : wanted);
    if (count > 0) addToTotal('dropped', count);
    return { count, why };
  };

  const store = (boot: BootRow, ticks: readonly Tick[]) =>
    database.transaction(() => {
      const pushedOut = makeRoom(countOf(ticks));
      if (unwritten > 0) addToTotal('dropped', unwritten);
      const { next_seq: first } = prepare('SELECT next_seq FROM boots WHERE boot_order = ?').get(
        boot.order,
      ) as {
        next_seq: number;
      };
      let seq = first;
      const stored = ticks.flatMap(({ readings, at }) =>
        readings.map((reading) => storeReading(boot, reading, seq++, at.time)),
      );
      prepare('UPDATE boots SET next_seq = ?, last_uptime_ms = ? WHERE boot_order = ?').run(
        seq,
        Math.floor(Math.max(...ticks.map(({ at }) => at.uptimeMs))),
        boot.order,
      );
      return { stored, pushedOut };
    });
  const storeReading = (
    boot: BootRow,
    reading: NewReading,
    seq: number,
    time: MeasuredTime,
  ): StoredReading => {
    const { componentId, componentType, metric, value, quality } = reading;
    const suspect = quality === 'suspect';
    const measuredAt = 'measuredAt' in time ? time.measuredAt : null;
    const uptime = 'uptimeMs' in time ? time.uptimeMs : null;
    prepare(
      `INSERT INTO readings
         (boot_order, seq, component_id, component_type, metric, value, measured_at, uptime_ms, suspect)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(boot.order, seq, componentId, componentType, metric, value, measuredAt, uptime, suspect ? 1 : 0);
    return {
      boot,
      componentType,
      reading: { seq, componentId, metric, value, ...time, ...(suspect && { quality }) },
    };
  };
  const insertTicks = (all: readonly Tick[]): StoredReading[] => {
    if (current === undefined) throw new TypeError('beginBoot comes before the first insert.');
    const ticks = all.filter(({ readings }) => readings.length > 0);
    if (ticks.length === 0) return [];
    try {
      const { stored, pushedOut } = store(current, ticks);
      unwritten = 0;
      rows += stored.length - pushedOut.count;
      if (pushedOut.count > 0) onDropped(pushedOut.count, pushedOut.why);
      return stored;
    } catch (cause) {
      unwritten += countOf(ticks);
      if (!cannotWrite(cause)) throw cause;
      onDropped(countOf(ticks), 'disk', cause);
      return [];
    }
  };

  const bootOrder = (bootId: string) =>
    (
      prepare('SELECT boot_order FROM boots WHERE boot_id = ?').get(bootId) as
        | { boot_order: number }
        | undefined
    )?.boot_order;
  const forgetEmptyBoots = () =>
    prepare(
      'DELETE FROM boots WHERE boot_order <> ? AND NOT EXISTS (SELECT 1 FROM readings WHERE readings.boot_order = boots.boot_order)',
    ).run(current?.order ?? 0);

  const documentText = (name: string) =>
    (prepare('SELECT content FROM documents WHERE name = ?').get(name) as { content: string } | undefined)
      ?.content;

  return {
    beginBoot: ({ bootId, bootCount }) => {
      prepare('INSERT INTO boots (boot_id, boot_count) VALUES (?, ?) ON CONFLICT (boot_id) DO NOTHING').run(
        bootId,
        bootCount,
      );
      current = { order: bootOrder(bootId)!, bootId, bootCount, lastUptimeMs: 0 };
      forgetEmptyBoots();
    },
    insert: (readings, at) => insertTicks([{ readings, at }]),
    insertTicks,
    read: ({ after, limit, boot, componentType }) =>
      (
        prepare(
          `SELECT r.*, b.boot_id, b.boot_count, b.last_uptime_ms FROM readings r JOIN boots b USING (boot_order)
           WHERE (r.boot_order, r.seq) > (?, ?) AND r.boot_order <= ?
             AND (? IS NULL OR r.component_type = ?)
           ORDER BY r.boot_order, r.seq LIMIT ?`,
        ).all(
          after.order,
          after.seq,
          boot ?? Number.MAX_SAFE_INTEGER,
          componentType ?? null,
          componentType ?? null,
          limit,
        ) as unknown as Row[]
      ).map(storedReading),
    deleteStored: (bootId, ranges) => {
      const order = bootOrder(bootId);
      if (order === undefined || ranges.length === 0) return 0;
      const count = database.lazyTransaction(() => {
        let changes = 0;
        for (const [from, to] of ranges)
          changes += Number(
            prepare('DELETE FROM readings WHERE boot_order = ? AND seq BETWEEN ? AND ?').run(order, from, to)
              .changes,
          );
        if (order !== current?.order) forgetEmptyBoots();
        return changes;
      });
      rows -= count;
      return count;
    },
    bury: (bootId, refused, at) => {
      const order = bootOrder(bootId);
      if (order === undefined || refused.length === 0) return 0;
      const count = database.transaction(() => buryRows(database, { bootId, order, refused, at, quota }));
      rows -= count;
      return count;
    },
    get rows() {
      return rows;
    },
    get dropped() {
      return dropped();
    },
    stats: (): OutboxStats => ({
      rows,
      bytes: bytes(),
      dropped: dropped(),
      deadLetters: number('SELECT count(*) FROM dead_letters'),
      diskLow: !mayGrow(),
    }),
    loadDocument: (name) => {
      const text = documentText(name);
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    saveDocument: (name, value) => {
      // It comes with each connection and is nearly always the same.
      if (documentText(name) === JSON.stringify(value)) return;
      prepare(
        'INSERT INTO documents (name, content) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET content = excluded.content',
      ).run(name, JSON.stringify(value));
    },
  };
}

function countOf(ticks: readonly Tick[]): number {
  return ticks.reduce((sum, { readings }) => sum + readings.length, 0);
}

function buryRows(
  { prepare }: Database,
  input: {
    readonly bootId: string;
    readonly order: number;
    readonly refused: readonly { readonly seq: number; readonly code: ReadingProblem }[];
    readonly at: number;
    readonly quota: OutboxQuota;
  },
): number {
  let count = 0;
  for (const { seq, code } of input.refused) {
    const row = prepare(
      `SELECT r.*, b.boot_id, b.boot_count, b.last_uptime_ms FROM readings r JOIN boots b USING (boot_order)
       WHERE boot_order = ? AND seq = ?`,
    ).get(input.order, seq) as Row | undefined;
    if (row === undefined) continue;
    const { componentType, reading } = storedReading(row);
    prepare(
      'INSERT INTO dead_letters (boot_id, component_type, reading, code, refused_at) VALUES (?, ?, ?, ?, ?)',
    ).run(input.bootId, componentType, JSON.stringify(reading), code, input.at);
    prepare('DELETE FROM readings WHERE boot_order = ? AND seq = ?').run(input.order, seq);
    count++;
  }
  prepare('DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?').run(
    input.quota.maxDeadLetters,
  );
  return count;
}

function storedReading(row: Row): StoredReading {
  const time: MeasuredTime =
    row.measured_at === null ? { uptimeMs: row.uptime_ms ?? 0 } : { measuredAt: row.measured_at };
  const reading: Reading = {
    seq: row.seq,
    componentId: row.component_id,
    metric: row.metric,
    value: row.value,
    ...time,
    ...(row.suspect === 1 && { quality: 'suspect' as const }),
  };
  const boot = {
    order: row.boot_order,
    bootId: row.boot_id,
    bootCount: row.boot_count,
    lastUptimeMs: row.last_uptime_ms,
  };
  return { boot, componentType: row.component_type, reading };
}
