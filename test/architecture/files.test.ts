import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, readText, root } from '../support/repository.ts';

const handWritten = (path: string) => path.endsWith('.ts') && !path.endsWith('.d.ts');
const lines = (path: string) => readText(path).split('\n').length;

describe('source files', () => {
  it('have a median under 120 lines and none over 500', () => {
    const sizes = ['protocol', 'hardware-drivers', 'agent', 'cloud']
      .flatMap((name) => filesBelow(`${name}/src`, handWritten))
      .map((path) => ({ path, lines: lines(path) }))
      .toSorted((a, b) => a.lines - b.lines);
    expect(sizes.filter((file) => file.lines > 500)).toEqual([]);
    expect(sizes[Math.floor(sizes.length / 2)]?.lines).toBeLessThan(120);
  });

  it('tests too stay under 500 lines', () => {
    const tests = ['protocol/test', 'hardware-drivers/test', 'agent/test', 'cloud/test', 'test'].flatMap(
      (name) => filesBelow(name, handWritten),
    );
    expect(tests.filter((path) => lines(path) > 500)).toEqual([]);
  });
});

describe('documents', () => {
  const documents = filesBelow('.', (path) => path.endsWith('.md'));

  it.each(documents)('%s names only files that exist', (document) => {
    const folder = join(document, '..');
    const links = [...readText(document).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(
      (match) => match[1] as string,
    );
    expect(links.filter((link) => !existsSync(join(root, folder, link)))).toEqual([]);
    const named = [
      ...readText(document).matchAll(/`((?:protocol|hardware-drivers|agent|cloud|deploy|test)\/[\w./-]+)`/g),
    ].map((match) => match[1] as string);
    const isThere = (path: string) => existsSync(join(root, path)) || existsSync(join(root, folder, path));
    expect(named.filter((path) => !isThere(path))).toEqual([]);
  });

  it.each(documents)('%s names only npm scripts that exist', (document) => {
    const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
    const used = [...readText(document).matchAll(/npm run ([a-z][\w:-]*)/g)].map(
      (match) => match[1] as string,
    );
    expect(used.filter((script) => !(script in scripts))).toEqual([]);
  });
});
