import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { migrations } from '../../src/migrations/index.ts';
import type { CloudDatabase } from '../../src/ports/database.ts';
import { databaseAt, fill } from '../support/filled-database.ts';

/**
 * Every statement that release 0.1.0 sent to its database while its tests ran. Its processes go on while this release
 * is rolled out, on the tables as this release's migrations leave them.
 */
const statements = JSON.parse(
  readFileSync(new URL('release-0.1.0.statements.json', import.meta.url), 'utf8'),
) as string[];
const names = Object.keys(migrations).sort();

let database: CloudDatabase;
beforeAll(async () => {
  ({ database } = await databaseAt(names.at(-1)));
  return () => database.close();
}, 60_000);

describe('the release before, on the tables of this one', () => {
  it('can still say everything that it says', async () => {
    const refused: string[] = [];
    for (const statement of statements)
      await database.db.connection().execute(async (connection) => {
        try {
          await sql.raw(`prepare recorded as ${statement}`).execute(connection);
          await sql.raw('deallocate recorded').execute(connection);
        } catch (error) {
          refused.push(`${(error as Error).message}: ${statement}`);
        }
      });
    expect(statements.length).toBeGreaterThan(200);
    expect(refused).toEqual([]);
  });

  it('is asked for no column in a new row that it does not know', async () => {
    const { rows } = await sql<{ column: string }>`
      select c.relname || '.' || a.attname as column
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        and a.attnotnull and not a.atthasdef and a.attidentity = ''`.execute(database.db);
    const needed = Map.groupBy(
      rows.map(({ column }) => column.split('.') as [string, string]),
      ([table]) => table,
    );
    const missing = statements.flatMap((statement) => {
      const [, table, columns] = /^insert into "?(\w+)"? \(([^)]+)\)/.exec(statement) ?? [];
      if (table === undefined || columns === undefined) return [];
      const given = new Set(columns.split(',').map((name) => name.trim().replaceAll('"', '')));
      return (needed.get(table) ?? []).flatMap(([, name]) => (given.has(name) ? [] : [`${table}.${name}`]));
    });
    expect([...new Set(missing)]).toEqual([]);
  });

  it('can still write down what it writes down, and its readings are rolled up', async () => {
    const own = await databaseAt(names.at(-1));
    onTestFinished(() => own.database.close());
    await fill(own.database as never);
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from telemetry_touched`.execute(
      own.database.db,
    );
    expect(rows[0]!.n).toBe(200);
  });
});
