import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

const skipped = new Set(['node_modules', 'dist', '.git', '.ares', 'coverage']);

/** Files below a folder of the repository, as paths from its root. */
export function filesBelow(folder: string, matches: (path: string) => boolean): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesBelow(path, matches);
    return matches(path) ? [relative('.', path)] : [];
  });
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** What a source file imports, statically and dynamically. */
export function importsOf(path: string): string[] {
  const text = readText(path);
  const patterns = [
    /^(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]/gms,
    /^import\s+['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
  ];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] as string));
}
