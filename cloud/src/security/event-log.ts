import type { Clock } from '../ports/clock.ts';
import type { SecurityEvent } from '../ports/security-reporter.ts';
import type { EventRow } from './repository.ts';

interface Counted {
  readonly event: SecurityEvent;
  count: number;
  /** Epoch ms; 0 before the first row. */
  writtenAt: number;
}

const WINDOW_MS = 60_000;
/** Distinct events that are counted one by one; an attacker who makes up names fills no memory. */
const MOST_KEYS = 10_000;

/** Counts equal events: the first is written at once, what follows within a minute as one row with its number. */
export function createEventLog(clock: Clock) {
  const counted = new Map<string, Counted>();
  return {
    add(event: SecurityEvent): void {
      const wanted = `${event.code} ${event.deviceUuid ?? ''}`;
      const key = counted.has(wanted) || counted.size < MOST_KEYS ? wanted : `${event.code} others`;
      const entry = counted.get(key);
      if (entry === undefined) counted.set(key, { event, count: 1, writtenAt: 0 });
      else entry.count += 1;
    },
    /** Rows that are due; what they count starts again from zero. `everything` does not wait for the minute. */
    take(everything = false): EventRow[] {
      const now = clock.now();
      const rows: EventRow[] = [];
      for (const [key, entry] of counted) {
        const due = everything || now - entry.writtenAt >= WINDOW_MS;
        if (!due) continue;
        if (entry.count === 0) {
          counted.delete(key);
          continue;
        }
        const { code, deviceUuid, detail } = entry.event;
        const isOthers = key.endsWith(' others');
        rows.push({
          code,
          deviceUuid: isOthers ? undefined : deviceUuid,
          detail: { ...detail, count: entry.count },
        });
        entry.count = 0;
        entry.writtenAt = now;
      }
      return rows;
    },
    /** Gives back rows that could not be written. */
    restore(rows: readonly EventRow[]): void {
      for (const { code, deviceUuid, detail } of rows) {
        const key = `${code} ${deviceUuid ?? ''}`;
        const entry = counted.get(key);
        const count = Number(detail['count'] ?? 1);
        if (entry === undefined) continue;
        entry.count += count;
        entry.writtenAt = 0;
      }
    },
  };
}
