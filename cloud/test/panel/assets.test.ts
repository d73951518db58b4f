import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { panelAssets } from '../../src/panel/assets.ts';

describe('the served panel', async () => {
  const assets = await panelAssets();
  const page = assets.lookup('/');
  const html = page?.body.toString() ?? '';
  const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] as string);

  it('ADM-01 has no inline script or style, and a policy that would refuse them', () => {
    expect(html).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:/i);
    const policy = page?.headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
  });

  it('ADM-01 is made of text nodes: no source hands a string to the browser as HTML or as a script', () => {
    const folder = new URL('../../src/panel/web/', import.meta.url);
    const sources = readdirSync(folder).filter((name) => /\.tsx?$/.test(name));
    expect(sources.length).toBeGreaterThan(20);
    for (const name of sources) {
      expect(readFileSync(new URL(name, folder), 'utf8'), name).not.toMatch(
        /dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write/,
      );
    }
  });

  it('names only files that exist, each under a hash and cached for ever', () => {
    expect(named).toHaveLength(3);
    for (const path of named) {
      expect(path).toMatch(/^\/panel\/\w+-[0-9A-Z]{8}\.(js|css|svg)$/);
      expect(assets.lookup(path)?.headers['cache-control']).toContain('immutable');
    }
    expect(page?.headers['cache-control']).toBe('no-cache');
  });

  it('has nothing elsewhere', () => {
    for (const path of ['/index.html', '/panel/', '/panel/../package.json', '/api/devices']) {
      expect(assets.lookup(path)).toBeUndefined();
    }
  });

  it('stays small: 125 KiB of script with gzip', () => {
    const script = assets.lookup(named.find((path) => path.endsWith('.js')) ?? '')?.body ?? Buffer.alloc(0);
    expect(gzipSync(script).length).toBeLessThan(125 * 1024);
  });
});
