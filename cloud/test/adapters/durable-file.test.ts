import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import {
  createDurably,
  preparePrivateFolder,
  removeDurably,
  writeDurably,
} from '../../src/adapters/durable-file.ts';

const home = await mkdtemp(join(tmpdir(), 'ares-durable-'));
afterAll(() => rm(home, { recursive: true }));

it('replaces a file, readable by its owner alone, and leaves nothing beside it', async () => {
  const dir = await mkdtemp(join(home, 'case-'));
  await writeFile(join(dir, 'file'), 'old', { mode: 0o644 });
  await writeDurably(join(dir, 'file'), 'new');
  expect(await readFile(join(dir, 'file'), 'utf8')).toBe('new');
  expect((await stat(join(dir, 'file'))).mode & 0o777).toBe(0o600);
  expect(await readdir(dir)).toEqual(['file']);
});

it('creates a file once, however many try', async () => {
  const dir = await mkdtemp(join(home, 'case-'));
  const tries = Array.from({ length: 20 }, (_, index) => createDurably(join(dir, 'file'), String(index)));
  const won = await Promise.all(tries);
  expect(won.filter(Boolean)).toHaveLength(1);
  expect(await readFile(join(dir, 'file'), 'utf8')).toBe(String(won.indexOf(true)));
  expect(await readdir(dir)).toEqual(['file']);
});

it('removes a file, and one that is not there', async () => {
  const dir = await mkdtemp(join(home, 'case-'));
  await writeDurably(join(dir, 'file'), 'x');
  await removeDurably(join(dir, 'file'));
  await removeDurably(join(dir, 'file'));
  expect(await readdir(dir)).toEqual([]);
});

it('makes folders that nobody else can enter, and clears old leftovers but not young ones', async () => {
  const dir = join(home, 'a', 'b', 'c');
  await preparePrivateFolder(dir);
  for (const folder of [join(home, 'a'), join(home, 'a', 'b'), dir]) {
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  }
  await writeFile(join(dir, '.file.0123456789abcdef.tmp'), '');
  await writeFile(join(dir, '.file.fedcba9876543210.tmp'), '');
  await utimes(join(dir, '.file.0123456789abcdef.tmp'), 0, 0);
  await preparePrivateFolder(dir);
  expect(await readdir(dir)).toEqual(['.file.fedcba9876543210.tmp']);
});

it('shows the old content or the new, whole, when the writer is killed at any instant', async () => {
  const dir = await mkdtemp(join(home, 'case-'));
  const file = join(dir, 'file');
  await writeDurably(file, 'a'.repeat(100_000));
  const script = `
    import { writeDurably } from '${join(import.meta.dirname, '../../src/adapters/durable-file.ts')}';
    console.log('writing');
    for (let i = 0; ; i += 1) await writeDurably(process.argv[1], String.fromCharCode(97 + (i % 26)).repeat(100_000));`;
  for (let round = 0; round < 8; round += 1) {
    const writer = spawn(process.execPath, ['--input-type=module', '-e', script, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(writer.stdout, 'data');
    const until = performance.now() + round * 3;
    while (performance.now() < until) await readFile(file);
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    const content = await readFile(file, 'utf8');
    expect(content.length).toBe(100_000);
    expect(new Set(content).size).toBe(1);
  }
});
