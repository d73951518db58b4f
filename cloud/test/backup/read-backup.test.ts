import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { checkBackup, readChecked } from '../../src/backup/read-backup.ts';
import { tarEnd, tarHeader, tarPadding } from '../../src/backup/tar.ts';

const manifest = (over: object = {}) =>
  JSON.stringify({
    format: 1,
    release: '0.1.0',
    madeAt: '2026-11-20T12:00:00.000Z',
    migrations: ['0001-initial'],
    tables: [{ name: 'users', columns: ['id'], rows: 1, pieces: 1 }],
    sequences: {},
    days: { telemetry_data: [], telemetry_minutes: [] },
    files: [],
    ...over,
  });
const piece = { 'data/users/00000001.copy': '1\n' };
const sumOf = (text: string) => createHash('sha256').update(text).digest('hex');
const sumsOf = (entries: Record<string, string>) =>
  Object.entries(entries)
    .map(([name, text]) => `${sumOf(text)}  ${name}\n`)
    .join('');
async function* archive(entries: Record<string, string>, sums: string | undefined = sumsOf(entries)) {
  for (const [name, text] of Object.entries({ ...entries, ...(sums !== '' && { SHA256SUMS: sums }) })) {
    const content = Buffer.from(text);
    yield Buffer.concat([tarHeader(name, content.length, 0), content, tarPadding(content.length)]);
  }
  yield tarEnd();
}
const check = (entries: Record<string, string>, sums?: string) => checkBackup(archive(entries, sums));
const entriesOf = (entries: AsyncIterable<unknown>) => Readable.from(entries).toArray();
const whole = { ...piece, 'manifest.json': manifest() };

it('is taken when everything in it is what it says', async () => {
  const checked = await check(whole);
  expect(checked.manifest.tables).toHaveLength(1);
  expect(await entriesOf(readChecked(archive(whole), checked))).toHaveLength(2);
});

it('is refused when a piece, a checksum or the end is missing, wrong or too much', async () => {
  const damaged = { code: 'BACKUP_DAMAGED' };
  await expect(check(whole, '')).rejects.toMatchObject(damaged);
  await expect(check({ 'manifest.json': manifest() })).rejects.toMatchObject(damaged);
  await expect(check({ ...whole, 'data/users/00000002.copy': '2\n' })).rejects.toMatchObject(damaged);
  await expect(check({ ...whole, 'data/users/00000001.copy': '2\n' }, sumsOf(whole))).rejects.toMatchObject(
    damaged,
  );
  await expect(check({ ...piece, 'manifest.json': '{' })).rejects.toMatchObject(damaged);
  const outside = { 'files/secrets/../../x': 'x' };
  const files = manifest({ files: ['secrets/../../x'] });
  await expect(check({ ...piece, ...outside, 'manifest.json': files })).rejects.toMatchObject(damaged);
});

it('is refused by a release that is older than its format, with the one to use', async () => {
  await expect(
    check({ ...piece, 'manifest.json': manifest({ format: 2, release: '9.9' }) }),
  ).rejects.toMatchObject({ code: 'BACKUP_NEWER', message: expect.stringContaining('9.9') });
});

it('is refused when it changed between the two readings', async () => {
  const checked = await check(whole);
  const other = { ...whole, 'data/users/00000001.copy': '2\n' };
  await expect(entriesOf(readChecked(archive(other), checked))).rejects.toMatchObject({
    code: 'BACKUP_DAMAGED',
  });
});
