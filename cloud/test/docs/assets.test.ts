import { expect, it } from 'vitest';
import { docsAssets } from '../../src/docs/assets.ts';

const assets = await docsAssets();

it('has every file that its page names, and names none of another host', () => {
  const page = assets.lookup('/docs')!.body.toString();
  const named = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
  expect(named).toHaveLength(3);
  for (const path of named) expect(assets.lookup(path)?.body.length, path).toBeGreaterThan(0);
});

it('allows scripts of this origin only', () => {
  const policy = assets.lookup('/docs')!.headers['content-security-policy']!;
  expect(policy).toContain("default-src 'self'");
  expect(policy).not.toContain('unsafe');
});
