import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { filesBelow, importsOf, readText, root } from '../support/repository.ts';

const packages = {
  protocol: [],
  'hardware-drivers': ['protocol'],
  agent: ['protocol', 'hardware-drivers'],
  cloud: ['protocol'],
} as const;
const names = Object.keys(packages) as (keyof typeof packages)[];
const isSource = (path: string) => path.endsWith('.ts');
const workspaceOf = (specifier: string) => /^@ares\/([a-z-]+)/.exec(specifier)?.[1];

describe('imports between packages', () => {
  it.each(names)('%s depends only on what its row allows, by manifest and by import', (name) => {
    const manifest = JSON.parse(readText(`${name}/package.json`)) as {
      dependencies?: Record<string, string>;
    };
    const declared = Object.keys(manifest.dependencies ?? {}).flatMap(
      (dependency) => workspaceOf(dependency) ?? [],
    );
    expect(declared.toSorted()).toEqual([...packages[name]].toSorted());
    for (const file of filesBelow(`${name}/src`, isSource)) {
      const used = importsOf(file).flatMap((specifier) => workspaceOf(specifier) ?? []);
      expect(
        used.filter((other) => !(packages[name] as readonly string[]).includes(other)),
        file,
      ).toEqual([]);
    }
  });

  it.each(names)('%s reaches no other package by a path', (name) => {
    for (const file of filesBelow(name, isSource)) {
      const depth = file.split('/').length - 1;
      const escapes = importsOf(file).filter((specifier) => {
        const ups = /^(?:\.\.\/)+/.exec(specifier)?.[0].length ?? 0;
        return ups / 3 >= depth && !specifier.startsWith(`${'../'.repeat(depth)}test/`);
      });
      expect(escapes, file).toEqual([]);
    }
  });

  it('protocol does no I/O: no module of Node, no library beyond schemas and cryptography', () => {
    for (const file of filesBelow('protocol/src', isSource)) {
      const foreign = importsOf(file).filter(
        (specifier) =>
          !specifier.startsWith('.') &&
          !/^(zod|zod-openapi|@noble\/(curves|ciphers|hashes))(\/|$)/.test(specifier),
      );
      expect(foreign, file).toEqual([]);
    }
  });
});

describe('rooms', () => {
  it('are the ones of the design: no other top-level folder', () => {
    const folders = readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
      .map(({ name }) => name);
    expect(folders.toSorted()).toEqual(
      ['agent', 'cloud', 'deploy', 'hardware-drivers', 'protocol', 'test'].filter((name) =>
        folders.includes(name),
      ),
    );
  });
});
