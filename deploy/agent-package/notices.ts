import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { repository } from './tools.ts';

/** npm packages whose code is in a bundle, from esbuild's list of inputs. */
export function bundledPackages(inputs: readonly string[]): string[] {
  const found = inputs.flatMap((input) => {
    const at = input.lastIndexOf('node_modules/');
    if (at < 0) return [];
    const [scope = '', name = ''] = input.slice(at + 'node_modules/'.length).split('/');
    return [
      input.slice(0, at + 'node_modules/'.length) + (scope.startsWith('@') ? `${scope}/${name}` : scope),
    ];
  });
  return [...new Set(found)].sort();
}

/**
 * The file `copyright`: licence of the agent, of the Node beside it and of every package in it, as they ask for.
 * @param folders folders of the npm packages, from the repository's root
 */
export function copyrightText(folders: readonly string[], year: number): string {
  const own = `Ares agent

Copyright ${year} the Ares contributors. Licensed under the Apache License, Version 2.0:
/usr/share/common-licenses/Apache-2.0

/usr/lib/ares-agent/runtime/bin/node is Node.js, with the licences in LICENSE.node.gz beside this file.

The packages below are part of /usr/lib/ares-agent/app, unchanged but for being bundled; the sources of each are on
https://www.npmjs.com by the name and version given.
`;
  return [own, ...folders.map(notice)].join(`\n${'-'.repeat(78)}\n`);
}

function notice(folder: string): string {
  const path = join(repository, folder);
  const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const [file] = globSync('{LICENSE,LICENCE,License,license,COPYING}*', { cwd: path })
    .filter((name) => existsSync(join(path, name)) && dirname(name) === '.')
    .sort();
  const text =
    file === undefined ? 'No licence text comes with the package.' : readFileSync(join(path, file), 'utf8');
  const heading = `${manifest.name} ${manifest.version} (${manifest.license ?? 'see below'})`;
  return `${heading}\n\n${withoutApacheTerms(text.replaceAll('\r\n', '\n')).trimEnd()}\n`;
}

/** Debian has the terms once for all packages, and its checks refuse a second copy. */
function withoutApacheTerms(text: string): string {
  return text.includes('TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION') &&
    text.includes('Apache License')
    ? 'Apache License, Version 2.0: /usr/share/common-licenses/Apache-2.0'
    : text;
}
