import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** What the databases of a device hold, counted without changing them. */
export interface StoreSummary {
  readonly bootCount: number;
  readonly commands: number;
  /** Why only safe orders are obeyed, or `null`. */
  readonly damaged: string | null;
  readonly readings: number;
  readonly deadLetters: number;
  readonly lostReadings: number;
}

/** @throws when a database cannot be read */
export function inspectStore(dir: string): StoreSummary {
  const device = (text: string) => ask(join(dir, 'device.db'), text);
  const outbox = (text: string) => ask(join(dir, 'outbox.db'), text);
  return {
    bootCount: Number(device(`SELECT value FROM counters WHERE name = 'boot'`) ?? 0),
    commands: Number(device('SELECT count(*) FROM commands') ?? 0),
    damaged: (device('SELECT detail FROM damages LIMIT 1') ?? null) as string | null,
    readings: Number(outbox('SELECT count(*) FROM readings') ?? 0),
    deadLetters: Number(outbox('SELECT count(*) FROM dead_letters') ?? 0),
    lostReadings: Number(outbox(`SELECT value FROM totals WHERE name = 'dropped'`) ?? 0),
  };
}

/** The first value of the first row; `undefined` without a row or a database. */
function ask(path: string, text: string): unknown {
  if (!existsSync(path)) return undefined;
  const database = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  try {
    const row = database.prepare(text).get();
    return row === undefined ? undefined : Object.values(row)[0];
  } finally {
    database.close();
  }
}
