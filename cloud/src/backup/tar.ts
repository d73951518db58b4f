const BLOCK = 512;
/** A name fits into the header of `ustar`, without its prefix. */
const LONGEST_NAME = 100;

/** The header and the padding of a file of a tar archive (POSIX `ustar`). */
export function tarHeader(name: string, size: number, atSeconds: number): Uint8Array {
  if (Buffer.byteLength(name) > LONGEST_NAME) throw new RangeError(`${name} is too long for an archive.`);
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write('0000600\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write(`${Math.floor(atSeconds).toString(8).padStart(11, '0')}\0`, 136);
  header.fill(' ', 148, 156);
  header.write('0', 156);
  header.write('ustar\0', 257);
  header.write('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

export const tarPadding = (size: number) => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);

/** Two empty blocks end an archive. */
export const tarEnd = () => Buffer.alloc(2 * BLOCK);

export interface TarEntry {
  readonly name: string;
  readonly content: Uint8Array;
}

/**
 * Entries of an archive that {@link tarHeader} made, each whole in memory.
 * @param largest bytes of an entry that are taken; a larger one is damage
 * @throws {RangeError} for anything else, also when the end is missing
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>, largest: number): AsyncGenerator<TarEntry> {
  const source = chunks[Symbol.asyncIterator]();
  let pending: Buffer = Buffer.alloc(0);
  const take = async (size: number): Promise<Buffer> => {
    const parts = [pending];
    let length = pending.length;
    while (length < size) {
      const next = await source.next();
      if (next.done) throw new RangeError('the archive ends in the middle');
      parts.push(Buffer.from(next.value));
      length += next.value.length;
    }
    const all = parts.length === 1 ? pending : Buffer.concat(parts);
    pending = all.subarray(size);
    return all.subarray(0, size);
  };
  try {
    for (;;) {
      const header = await take(BLOCK);
      if (header.every((byte) => byte === 0)) {
        await expectNothingElse(pending, source);
        return;
      }
      const { name, size } = parseHeader(header);
      if (size > largest) throw new RangeError(`${name} is larger than anything in a backup`);
      const content = Buffer.from(await take(size));
      await take(tarPadding(size).length);
      yield { name, content };
    }
  } finally {
    await source.return?.();
  }
}

/** To the very end: only there does a compressed source tell that it was cut. */
async function expectNothingElse(rest: Uint8Array, source: AsyncIterator<Uint8Array>): Promise<void> {
  let length = 0;
  for (let chunk = rest; ; ) {
    length += chunk.length;
    if (chunk.some((byte) => byte !== 0)) throw new RangeError('something follows the end of the archive');
    const next = await source.next();
    if (next.done) break;
    chunk = next.value;
  }
  if (length < BLOCK) throw new RangeError('the archive ends in the middle');
}

function parseHeader(header: Buffer): { name: string; size: number } {
  const text = (from: number, length: number) => {
    const field = header.toString('utf8', from, from + length);
    const end = field.indexOf('\0');
    return end < 0 ? field : field.slice(0, end);
  };
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  const size = text(124, 12);
  if (Number.parseInt(text(148, 8), 8) !== sum || text(257, 6) !== 'ustar' || !/^[0-7]{11}$/.test(size))
    throw new RangeError('a header of the archive is damaged');
  return { name: text(0, LONGEST_NAME), size: Number.parseInt(size, 8) };
}
