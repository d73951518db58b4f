import type { Reading } from '@ares/protocol';
import { sql } from 'kysely';
import { z } from 'zod';
import type { Handlers } from '../http/handlers.ts';
import { decodeCursor, toPage } from '../http/paging.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';

/** Why a reading is here and not among the others. */
export type QuarantineReason = 'CLOCK' | 'TOO_OLD' | 'NO_PARTITION' | 'NOT_STORABLE';

export interface QuarantinedReading {
  readonly deviceId: number;
  readonly reason: QuarantineReason;
  readonly bootId: string;
  readonly seq: number;
  readonly componentId: number;
  readonly metric: string;
  readonly value: number;
  readonly measuredAtMs: number;
}

/**
 * Keeps readings that were refused for their time, or that the database would not take, for somebody to look at. The
 * newest of each device are kept, up to a bound; one that cannot be written is forgotten, as its device still has it.
 */
export interface ReadingQuarantine {
  keep(reading: QuarantinedReading): void;
  /** Writes what waits, in the background. */
  close(): Promise<void>;
}

/** Rows of one device that stay, and of it that wait. */
const MOST_OF_A_DEVICE = 1_000;
const MOST_WAITING_OF_A_DEVICE = 200;
const MOST_WAITING = 20_000;
const WRITE_EVERY_MS = 1_000;

export function createReadingQuarantine(options: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly log: Logger;
  readonly mostOfADevice?: number;
  readonly writeEveryMs?: number;
}): ReadingQuarantine {
  const { database, log, mostOfADevice = MOST_OF_A_DEVICE, writeEveryMs = WRITE_EVERY_MS } = options;
  let waiting: QuarantinedReading[] = [];
  const counts = new Map<number, number>();
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const rows = waiting;
    waiting = [];
    counts.clear();
    if (rows.length === 0) return;
    writing = writing
      .then(() => write(database, rows, mostOfADevice))
      .catch((error: Error) => log.warn({ error: error.message }, 'refused readings were not kept'));
  };

  return {
    keep(reading) {
      const count = counts.get(reading.deviceId) ?? 0;
      if (count >= MOST_WAITING_OF_A_DEVICE || waiting.length >= MOST_WAITING) return;
      counts.set(reading.deviceId, count + 1);
      waiting.push(reading);
      timer ??= setTimeout(flush, writeEveryMs);
    },
    async close() {
      flush();
      await writing;
    },
  };
}

async function write(
  { db }: Pick<CloudDatabase, 'db'>,
  rows: readonly QuarantinedReading[],
  most: number,
): Promise<void> {
  const column = (key: keyof QuarantinedReading) => rows.map((row) => row[key]);
  await sql`insert into telemetry_quarantine
      (device_id, reason, boot_id, seq, component_id, metric, value, measured_at_ms)
    select * from unnest(${column('deviceId')}::int[], ${column('reason')}::text[], ${column('bootId')}::text[],
      ${column('seq')}::int8[], ${column('componentId')}::int[], ${column('metric')}::text[],
      ${column('value')}::float8[], ${column('measuredAtMs')}::float8[])`.execute(db);
  await sql`delete from telemetry_quarantine q using (
      select d, (select id from telemetry_quarantine where device_id = d
        order by id desc offset ${most} limit 1) as last
      from unnest(${[...new Set(rows.map(({ deviceId }) => deviceId))]}::int[]) as d
    ) as bound where q.device_id = bound.d and q.id <= bound.last`.execute(db);
}

/** As quarantine keeps it: with the time that the device claims. */
export function quarantined(
  reading: Reading,
  about: { readonly deviceId: number; readonly bootId: string; readonly reason: QuarantineReason },
): QuarantinedReading {
  const { seq, componentId, metric, value, measuredAt, uptimeMs } = reading;
  return { ...about, seq, componentId, metric, value, measuredAtMs: measuredAt ?? uptimeMs ?? 0 };
}

export function quarantineRoutes({ db }: Pick<CloudDatabase, 'db'>): Pick<Handlers, 'quarantinedReadings'> {
  return {
    async quarantinedReadings({ query }) {
      const { limit, cursor, deviceUuid, reason } = query;
      const before = cursor === undefined ? undefined : decodeCursor(z.int(), cursor);
      const rows = await db
        .selectFrom('telemetry_quarantine as q')
        .innerJoin('devices as d', 'd.id', 'q.device_id')
        .$if(before !== undefined, (q) => q.where('q.id', '<', before ?? 0))
        .$if(deviceUuid !== undefined, (q) => q.where('d.device_uuid', '=', deviceUuid ?? ''))
        .$if(reason !== undefined, (q) => q.where('q.reason', '=', reason ?? ''))
        .orderBy('q.id', 'desc')
        .limit(limit + 1)
        .selectAll('q')
        .select('d.device_uuid')
        .execute();
      const body = toPage(rows, limit, {
        positionOf: ({ id }) => id,
        toItem: (row) => ({
          deviceUuid: row.device_uuid,
          reason: row.reason as QuarantineReason,
          arrivedAt: row.at.toISOString(),
          measuredAtMs: row.measured_at_ms,
          componentId: row.component_id,
          metric: row.metric,
          value: row.value,
          bootId: row.boot_id,
          seq: row.seq,
        }),
      });
      return { status: 200, body };
    },
  };
}
