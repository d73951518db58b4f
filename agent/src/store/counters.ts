import type { Database } from './database.ts';
import type { Counters } from './types.ts';

export const countersSchema = `
  CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Highest boot count that the wire carries. */
const HIGHEST = 2_147_483_647;

/** Counters in `device.db`. */
export function createCounters(database: Database): Counters {
  const read = () =>
    (
      database.prepare(`SELECT value FROM counters WHERE name = 'boot'`).get() as
        | { value: number }
        | undefined
    )?.value ?? 0;
  const write = (value: number) => {
    database
      .prepare(
        `INSERT INTO counters (name, value) VALUES ('boot', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      )
      .run(Math.min(value, HIGHEST));
  };
  return {
    startBoot: ({ floor }) =>
      database.transaction(() => {
        write(Math.max(read(), floor) + 1);
        return read();
      }),
    raiseFloor: (floor) => {
      if (floor > read()) write(floor);
    },
    get bootCount() {
      return read();
    },
  };
}
