import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { BackupConnection } from '../ports/backup-connection.ts';
import type { Clock } from '../ports/clock.ts';
import { type Catalogue, catalogueOf, partitionDays } from './catalogue.ts';
import { tarEnd, tarHeader, tarPadding } from './tar.ts';
import { BackupError, CHECKSUMS, FORMAT, MANIFEST, type Manifest, PIECE_BYTES, pieceName } from './types.ts';

/** A file of the cloud's own folder; `name` below it, with slashes. */
export interface KeptFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/**
 * A backup as a tar archive, bit by bit: every table in one snapshot, so that the cloud may run meanwhile; then files,
 * what there is, and the checksums of it all.
 * @throws {BackupError} USE_PG_DUMP
 */
export async function* makeBackup(options: {
  readonly connection: BackupConnection;
  readonly files: readonly KeptFile[];
  readonly release: string;
  readonly clock: Clock;
  readonly made: (manifest: Manifest) => void;
}): AsyncGenerator<Uint8Array> {
  const { connection, files, release, clock, made } = options;
  const now = clock.now();
  const sums: string[] = [];
  function* entry(name: string, content: Uint8Array): Generator<Uint8Array> {
    sums.push(`${createHash('sha256').update(content).digest('hex')}  ${name}`);
    yield tarHeader(name, content.length, now / 1_000);
    yield content;
    yield tarPadding(content.length);
  }

  await refuseHypertables(connection);
  const catalogue = await catalogueOf(connection.queries);
  const tables: Manifest['tables'] = [];
  for (const { name, columns } of catalogue.tables) {
    const pieces = inPieces(connection.copyOut(copySql(name, columns)));
    const table = { name, columns: [...columns], rows: 0, pieces: 0 };
    for await (const piece of pieces) {
      table.pieces += 1;
      table.rows += countRows(piece);
      yield* entry(pieceName(name, table.pieces), piece);
    }
    tables.push(table);
  }
  for (const { name, content } of files) yield* entry(`files/${name}`, content);
  const manifest: Manifest = {
    format: FORMAT,
    release,
    madeAt: new Date(now).toISOString(),
    migrations: await migrationsIn(connection),
    tables,
    // Read last: a number that was given out meanwhile is skipped, never given out again.
    sequences: { ...(await sequencesNow(connection)) },
    days: {
      telemetry_data: await partitionDays(connection.queries, 'telemetry_data'),
      telemetry_minutes: await partitionDays(connection.queries, 'telemetry_minutes'),
    },
    files: files.map(({ name }) => name),
  };
  yield* entry(MANIFEST, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  const checksums = Buffer.from(`${sums.join('\n')}\n`);
  yield* entry(CHECKSUMS, checksums);
  yield tarEnd();
  made(manifest);
}

const copySql = (table: string, columns: readonly string[]) =>
  `copy (select ${columns.map((name) => `"${name}"`).join(', ')} from "${table}") to stdout`;

async function sequencesNow({ queries }: BackupConnection): Promise<Catalogue['sequences']> {
  return (await catalogueOf(queries)).sequences;
}

async function migrationsIn({ queries }: BackupConnection): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(
    queries,
  );
  return rows.map(({ name }) => name);
}

async function refuseHypertables({ queries }: BackupConnection): Promise<void> {
  const { rows } =
    await sql`select from pg_class where oid = to_regclass('telemetry_data') and relkind = 'p'`.execute(
      queries,
    );
  if (rows.length === 1) return;
  throw new BackupError(
    'USE_PG_DUMP',
    'The readings of this database are in a hypertable of TimescaleDB (or there are no tables): back it up by pg_dump, as the documentation of TimescaleDB says.',
  );
}

/** Whole rows, gathered until a piece is full. */
async function* inPieces(rows: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const row of rows) {
    waiting.push(row);
    bytes += row.length;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}

/** A row is a line: what a value holds of line ends is escaped. */
function countRows(piece: Uint8Array): number {
  let rows = 0;
  for (const byte of piece) if (byte === 0x0a) rows += 1;
  return rows;
}
