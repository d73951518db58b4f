import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const readme = read('../README.md');
/** A file without its doc block, as the page shows it. */
const withoutDocBlock = (source: string) => source.replace(/^\/\*\*[\s\S]*?\*\/\n/, '');

describe('the page for driver authors', () => {
  it('shows the example driver and its manifest exactly as they are tested', () => {
    expect(readme).toContain(withoutDocBlock(read('../examples/motion/index.js')));
    expect(readme).toContain(read('../examples/motion/package.json'));
  });

  it('shows a driver of less than 60 lines', () => {
    expect(read('../examples/motion/index.js').split('\n').length).toBeLessThan(60);
  });

  it('names files that are there', () => {
    const paths = [...readme.matchAll(/`((?:src|test|examples)\/[\w./-]+)`/g)].map(([, path]) => path!);
    expect(paths.length).toBeGreaterThan(5);
    for (const path of paths) expect(existsSync(new URL(`../${path}`, import.meta.url)), path).toBe(true);
  });
});
