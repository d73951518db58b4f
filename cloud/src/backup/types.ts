import { z } from 'zod';

type BackupErrorCode =
  /** No backup of Ares, or one that was cut or changed. */
  | 'BACKUP_DAMAGED'
  /** Made by a later release. */
  | 'BACKUP_NEWER'
  /** The database holds something already. */
  | 'NOT_EMPTY'
  /** Processes are connected to the database. */
  | 'IN_USE'
  /** This database is for other tools. */
  | 'USE_PG_DUMP'
  /** The file is there already, or cannot be written. */
  | 'FILE';

/** Why there is no backup, or why nothing was restored; the message says what to do. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly code: BackupErrorCode;

  constructor(code: BackupErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const FORMAT = 1;
/** Rows of a table travel in pieces of about this size, so that nothing large is ever in memory. */
export const PIECE_BYTES = 4_194_304;
/** A piece ends with a whole row, and a row may be as large as PostgreSQL's own limit for a field that we use. */
export const LARGEST_ENTRY = 16 * PIECE_BYTES;

const identifier = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/);
const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/);
const count = z.int().min(0);

/** `manifest.json` of a backup. */
export const manifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** Release that made it. */
  release: z.string(),
  madeAt: z.iso.datetime(),
  migrations: z.array(z.string().max(255)).min(1),
  tables: z.array(
    z.strictObject({ name: identifier, columns: z.array(identifier).min(1), rows: count, pieces: count }),
  ),
  /** Last value of each sequence that was used. */
  sequences: z.record(identifier, z.int()),
  /** Days that have a partition. */
  days: z.strictObject({ telemetry_data: z.array(day), telemetry_minutes: z.array(day) }),
  /** Files of the cloud's folder: secrets and authority. */
  files: z.array(z.string().regex(/^(secrets|ca)(\/[A-Za-z0-9][A-Za-z0-9._-]*)+$/)),
});
export type Manifest = z.infer<typeof manifestSchema>;

export const MANIFEST = 'manifest.json';
/** The last entry: `sha256sum -c` reads it. */
export const CHECKSUMS = 'SHA256SUMS';
export const pieceName = (table: string, piece: number) =>
  `data/${table}/${String(piece).padStart(8, '0')}.copy`;
