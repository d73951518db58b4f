import { execFileSync } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readTar, tarEnd, tarHeader, tarPadding } from '../../src/backup/tar.ts';

const entries = [
  { name: 'data/users/00000001.copy', content: Buffer.from('a\tb\n') },
  { name: 'empty', content: Buffer.alloc(0) },
  { name: 'exact', content: Buffer.alloc(1_024, 7) },
];
const archive = () =>
  Buffer.concat([
    ...entries.flatMap(({ name, content }) => [
      tarHeader(name, content.length, 1_700_000_000),
      content,
      tarPadding(content.length),
    ]),
    tarEnd(),
  ]);
async function* by(size: number, bytes: Buffer = archive()) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const all = async (chunks: AsyncIterable<Uint8Array>, largest = 10_000) => {
  const found: { name: string; content: Buffer }[] = [];
  for await (const { name, content } of readTar(chunks, largest))
    found.push({ name, content: Buffer.from(content) });
  return found;
};

it('is read again whatever the pieces are in which it comes', async () => {
  for (const size of [1, 7, 512, 1_000, 100_000]) expect(await all(by(size))).toEqual(entries);
});

it('is what tar reads', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ares-tar-'));
  await writeFile(join(folder, 'a.tar'), archive());
  expect(
    execFileSync('tar', ['-tf', join(folder, 'a.tar')], { encoding: 'utf8' })
      .trim()
      .split('\n'),
  ).toEqual(entries.map(({ name }) => name));
  const users = execFileSync('tar', ['-xOf', join(folder, 'a.tar'), entries[0]!.name]);
  expect(users.toString()).toBe('a\tb\n');
});

it('is refused when it is cut, damaged, or holds something too large', async () => {
  const whole = archive();
  for (const length of [1, 511, 513, 700, 2_000, whole.length - 1_024])
    await expect(all(by(100, whole.subarray(0, length)))).rejects.toThrow('ends in the middle');
  const flipped = Buffer.from(whole);
  flipped[130]! ^= 1;
  await expect(all(by(100, flipped))).rejects.toThrow('damaged');
  await expect(all(by(100), 1_000)).rejects.toThrow('larger');
});
