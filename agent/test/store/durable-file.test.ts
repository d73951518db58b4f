import { chownSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ensureDurableFile,
  readFileIfThere,
  removeDurableFile,
  writeDurableFile,
} from '../../src/store/durable-file.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'durable-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a durable file', () => {
  it('has the new content, mode 0600 and nothing beside it', () => {
    const path = join(folder, 'credentials.json');
    writeDurableFile(path, 'old');
    writeDurableFile(path, 'new');
    expect(readFileIfThere(path)).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['credentials.json']);
  });

  it('FSP-08 takes with it what a kill in the middle of a write left of its secrets, and nothing else', () => {
    writeFileSync(join(folder, 'credentials.json'), 'secret');
    writeFileSync(join(folder, '.credentials.json.1cb060a5b37f.tmp'), 'secret');
    writeFileSync(join(folder, '.credentials.json.notes'), 'stays');
    writeFileSync(join(folder, '.trust.json.1cb060a5b37f.tmp'), 'stays');
    removeDurableFile(join(folder, 'credentials.json'));
    expect(readdirSync(folder).toSorted()).toEqual([
      '.credentials.json.notes',
      '.trust.json.1cb060a5b37f.tmp',
    ]);
  });

  it('leaves nothing of a write that was killed before there ever was a file', () => {
    writeFileSync(join(folder, '.credentials.json.1cb060a5b37f.tmp'), 'secret');
    removeDurableFile(join(folder, 'credentials.json'));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('may be removed where nothing is', () => {
    expect(() => removeDurableFile(join(folder, 'no', 'such', 'file'))).not.toThrow();
  });
});

describe('a file that is made once', () => {
  it('keeps the content of whoever came first, and leaves nothing beside it', () => {
    const path = join(folder, 'identity.json');
    const meanwhile = () => {
      writeDurableFile(path, 'of another process');
      return 'mine';
    };
    expect(ensureDurableFile(path, meanwhile)).toBe('of another process');
    expect(ensureDurableFile(path, () => 'later')).toBe('of another process');
    expect(readdirSync(folder)).toEqual(['identity.json']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});

describe.skipIf(process.getuid?.() !== 0)('a file that root writes (root only)', () => {
  it('belongs to the owner of the folder, who has to read it', () => {
    chownSync(folder, 12_345, 12_346);
    writeDurableFile(join(folder, 'trust.json'), 'x');
    expect(statSync(join(folder, 'trust.json'))).toMatchObject({ uid: 12_345, gid: 12_346 });
  });
});
