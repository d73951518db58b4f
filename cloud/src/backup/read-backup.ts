import { createHash } from 'node:crypto';
import { readTar, type TarEntry } from './tar.ts';
import {
  BackupError,
  CHECKSUMS,
  FORMAT,
  LARGEST_ENTRY,
  MANIFEST,
  type Manifest,
  manifestSchema,
  pieceName,
} from './types.ts';

/** A backup whose every byte was checked. */
export interface CheckedBackup {
  readonly manifest: Manifest;
  /** Hex SHA-256 of each entry, to hold against a second reading. */
  readonly sums: ReadonlyMap<string, string>;
}

const damaged = (why: string, cause?: unknown) =>
  new BackupError(
    'BACKUP_DAMAGED',
    `This is no whole backup of Ares: ${why}. Nothing was changed; take another copy of it.`,
    { cause },
  );

/**
 * Reads a backup to its end and checks everything: nothing of one that was cut or changed is ever used.
 * @throws {BackupError} BACKUP_DAMAGED, BACKUP_NEWER
 */
export async function checkBackup(archive: AsyncIterable<Uint8Array>): Promise<CheckedBackup> {
  const sums = new Map<string, string>();
  let manifestText: string | undefined;
  let checksums: string | undefined;
  try {
    for await (const { name, content } of readTar(archive, LARGEST_ENTRY)) {
      if (checksums !== undefined) throw damaged('something follows its end');
      if (sums.has(name)) throw damaged(`${name} is in it twice`);
      if (name === CHECKSUMS) checksums = Buffer.from(content).toString();
      else sums.set(name, sumOf(content));
      if (name === MANIFEST) manifestText = Buffer.from(content).toString();
    }
  } catch (error) {
    throw error instanceof BackupError ? error : damaged((error as Error).message, error);
  }
  if (checksums === undefined || manifestText === undefined) throw damaged('its end is missing');
  const written = checksums
    .trimEnd()
    .split('\n')
    .map((line) => [line.slice(66), line.slice(0, 64)] as const);
  if (written.length !== sums.size || written.some(([name, sum]) => sums.get(name) !== sum))
    throw damaged('checksums do not fit');
  const manifest = parseManifest(manifestText);
  const expected = new Set([
    MANIFEST,
    ...manifest.tables.flatMap(({ name, pieces }) =>
      Array.from({ length: pieces }, (_, i) => pieceName(name, i + 1)),
    ),
    ...manifest.files.map((name) => `files/${name}`),
  ]);
  if (expected.size !== sums.size || [...sums.keys()].some((name) => !expected.has(name)))
    throw damaged('it holds other things than it says');
  return { manifest, sums };
}

/** The entries again, each held against what was checked. @throws {BackupError} BACKUP_DAMAGED when the file changed */
export async function* readChecked(
  archive: AsyncIterable<Uint8Array>,
  { sums }: CheckedBackup,
): AsyncGenerator<TarEntry> {
  for await (const entry of readTar(archive, LARGEST_ENTRY)) {
    if (entry.name === CHECKSUMS) continue;
    if (sums.get(entry.name) !== sumOf(entry.content))
      throw damaged(`${entry.name} changed while it was read`);
    yield entry;
  }
}

const sumOf = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

function parseManifest(text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw damaged('its manifest cannot be read', error);
  }
  const { format, release } = json as { format?: unknown; release?: unknown };
  if (typeof format === 'number' && format > FORMAT)
    throw new BackupError(
      'BACKUP_NEWER',
      `This backup was made by release ${String(release)} in format ${format}; this release reads format ${FORMAT}. Restore it with that release.`,
    );
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw damaged(`its manifest is wrong: ${parsed.error.issues[0]?.message ?? ''}`);
  return parsed.data;
}
