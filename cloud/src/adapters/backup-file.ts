import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, open, unlink } from 'node:fs/promises';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { BackupError } from '../backup/types.ts';

/**
 * Writes a compressed file (zstd, with checksum) that only its owner can read. It appears under its name when it is
 * whole and on the disk, and never replaces another one.
 * @throws {BackupError} FILE
 */
export async function writeBackupFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const unfinished = `${path}.unfinished`;
  const compress = createZstdCompress({
    params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: 3 },
  });
  try {
    const sink = createWriteStream(unfinished, { flags: 'wx', mode: 0o600, flush: true });
    await pipeline(Readable.from(chunks, { objectMode: false }), compress, withTrailer, sink, { signal });
    await link(unfinished, path);
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined || code === undefined) throw error;
    const why = code === 'EEXIST' ? 'there is such a file already' : (error as Error).message;
    throw new BackupError('FILE', `${path} was not written: ${why}.`, { cause: error });
  } finally {
    await unlink(unfinished).catch(() => undefined);
  }
}

/**
 * The content of such a file; may be read more than once.
 * @throws {BackupError} FILE when there is none, BACKUP_DAMAGED when it was cut or changed
 */
export async function openBackupFile(path: string): Promise<() => AsyncIterable<Uint8Array>> {
  const length = await checkedLength(path);
  return () => {
    const expand: Transform = createZstdDecompress();
    // A failure of either ends the other; the reader sees it.
    pipeline(createReadStream(path, { end: length - 1 }), expand).catch(() => undefined);
    return expand as AsyncIterable<Uint8Array>;
  };
}

/** Frames of zstd that begin so are skipped by every reader of them (RFC 8878, 3.1.2). */
const SKIPPABLE = 0x184d2a50;
const MARK = 'ARES-END';
const TRAILER_BYTES = 48;

/** Ends a file with its checksum: a decoder of zstd does not notice when the last bytes of a frame are missing. */
async function* withTrailer(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
  yield trailerOf(hash.digest());
}

function trailerOf(sum: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(SKIPPABLE, 0);
  head.writeUInt32LE(TRAILER_BYTES - head.length, 4);
  return Buffer.concat([head, Buffer.from(MARK), sum]);
}

/** Bytes before the trailer, all of which were held against it. */
async function checkedLength(path: string): Promise<number> {
  try {
    await using file = await open(path);
    const length = (await file.stat()).size - TRAILER_BYTES;
    const hash = createHash('sha256');
    if (length > 0) {
      for await (const chunk of file.createReadStream({ end: length - 1, autoClose: false }))
        hash.update(chunk as Uint8Array);
      const buffer = Buffer.alloc(TRAILER_BYTES);
      await file.read({ buffer, position: length });
      if (buffer.equals(trailerOf(hash.digest()))) return length;
    }
  } catch (error) {
    throw new BackupError('FILE', `${path} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
  throw new BackupError(
    'BACKUP_DAMAGED',
    `${path} is no whole backup of Ares. Nothing was changed; take another copy of it.`,
  );
}
