import type { Logger } from '../ports/logger.ts';
import type { ReadingRow } from './admission.ts';
import { compareRows } from './reading-repository.ts';

/** Why a row can never be stored: the database refuses it, or has no place for its time. */
export type Unstorable = 'NOT_STORABLE' | 'NO_PARTITION';

/** The rows of one message, and who wants to know what became of them. */
interface WriteJob {
  readonly rows: readonly ReadingRow[];
  /** Called once, when every row is committed or can never be; `unstorable` are the latter, by their seq. */
  readonly settled: (unstorable: ReadonlyMap<number, Unstorable>) => void;
}

export interface BatchWriter {
  /** Takes the job, or answers `false` when there is no room: then it must not be acknowledged. */
  add(job: WriteJob): boolean;
  /** Rows that wait or are being written. */
  buffered(): number;
  /** Stops taking jobs and writes what it has, as long as the database lets it. */
  close(withinMs: number): Promise<void>;
}

export interface BatchConfig {
  readonly flushEveryMs: number;
  readonly batchRows: number;
  readonly bufferRows: number;
  /** Batches under way at once. */
  readonly concurrency: number;
}

const defaultBatchConfig: BatchConfig = {
  flushEveryMs: 20,
  batchRows: 4_000,
  bufferRows: 50_000,
  concurrency: 2,
};

/** A missing partition is made by the next try; one that cannot be made is nobody's to wait for. */
const MOST_WITHOUT_PARTITION = 5;
const NOTHING: ReadonlyMap<number, Unstorable> = new Map();
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 5_000;

/**
 * Gathers the rows of many messages into few statements. A batch that fails because of what is in it is halved
 * until the offender stands alone; one that fails because of the database is tried again, for ever: nothing is
 * acknowledged meanwhile, and a full buffer takes no more.
 */
export function createBatchWriter(options: {
  readonly insert: (rows: readonly ReadingRow[]) => Promise<void>;
  readonly log: Logger;
  readonly config?: Partial<BatchConfig>;
}): BatchWriter {
  const { insert, log } = options;
  const config = { ...defaultBatchConfig, ...options.config };
  let queue: WriteJob[] = [];
  let queuedRows = 0;
  let activeRows = 0;
  let active = 0;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let stop = false;
  let idle: (() => void) | undefined;
  const waits = new Set<() => void>();

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(wait);
        waits.delete(done);
        resolve();
      };
      const wait = setTimeout(done, ms);
      waits.add(done);
    });

  /** Writes sorted rows; answers those that cannot be stored. Throws only when told to stop. */
  const write = async (rows: readonly ReadingRow[], homeless = 0): Promise<Map<ReadingRow, Unstorable>> => {
    for (let attempt = 0, without = homeless; ; attempt++) {
      try {
        await insert(rows);
        return new Map();
      } catch (error) {
        if (isMissingPartition(error)) without += 1;
        const why = isAboutTheRows(error)
          ? 'NOT_STORABLE'
          : without > MOST_WITHOUT_PARTITION
            ? 'NO_PARTITION'
            : undefined;
        if (why !== undefined) {
          if (rows.length === 1) return new Map(rows.map((row) => [row, why]));
          const middle = rows.length >> 1;
          const first = await write(rows.slice(0, middle), without);
          return new Map([...first, ...(await write(rows.slice(middle), without))]);
        }
        if (stop) throw error;
        const message = error instanceof Error ? error.message : String(error);
        log.warn({ error: message, rows: rows.length, attempt }, 'readings wait for the database');
        await pause(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt));
        if (stop) throw error;
      }
    }
  };

  /** What one message does with the news must not keep it from the others. */
  const settle = (job: WriteJob, bad: ReadonlyMap<ReadingRow, Unstorable>) => {
    try {
      const seqs = job.rows.flatMap((row): [number, Unstorable][] =>
        bad.has(row) ? [[row.seq, bad.get(row)!]] : [],
      );
      job.settled(bad.size === 0 ? NOTHING : new Map(seqs));
    } catch (error) {
      log.error({ error: String(error) }, 'an answer to stored readings failed');
    }
  };

  const takeBatch = (): { jobs: WriteJob[]; rows: ReadingRow[] } => {
    const rows: ReadingRow[] = [];
    let count = 0;
    while (count < queue.length && rows.length < config.batchRows) rows.push(...queue[count++]!.rows);
    const jobs = queue.slice(0, count);
    queue = queue.slice(count);
    queuedRows -= rows.length;
    return { jobs, rows: rows.sort(compareRows) };
  };

  const flushOne = async (): Promise<void> => {
    const { jobs, rows } = takeBatch();
    active += 1;
    activeRows += rows.length;
    try {
      const bad = await write(rows);
      for (const job of jobs) settle(job, bad);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      log.warn({ error: message, rows: rows.length }, 'readings were left to their devices');
    } finally {
      active -= 1;
      activeRows -= rows.length;
      schedule();
      if (active === 0 && queue.length === 0) idle?.();
    }
  };

  const schedule = () => {
    while (active < config.concurrency && queuedRows >= config.batchRows) void flushOne();
    if (queue.length === 0 || timer !== undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        if (active < config.concurrency && queue.length > 0) void flushOne();
        else schedule();
      },
      closed ? 0 : config.flushEveryMs,
    );
  };

  return {
    add(job) {
      if (closed || queuedRows + activeRows + job.rows.length > config.bufferRows) return false;
      queue.push(job);
      queuedRows += job.rows.length;
      schedule();
      return true;
    },
    buffered: () => queuedRows + activeRows,
    async close(withinMs) {
      closed = true;
      if (active > 0 || queue.length > 0) {
        const drained = new Promise<void>((resolve) => {
          idle = resolve;
        });
        schedule();
        await Promise.race([drained, pause(withinMs)]);
      }
      stop = true;
      for (const done of [...waits]) done();
      clearTimeout(timer);
      queue = [];
      queuedRows = 0;
    },
  };
}

/**
 * Whether PostgreSQL refused what a row holds (data exceptions 22, constraint violations 23), rather than being
 * away, full, dead-locked or not migrated. A missing partition (23514) heals by itself and names no offender.
 */
function isAboutTheRows(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^(22|23)[0-9A-Z]{3}$/.test(code) && !isMissingPartition(error);
}

function isMissingPartition(error: unknown): boolean {
  const message = error instanceof Error ? error.message : '';
  return message.includes('no partition of relation');
}
