import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

/** Megabytes that a resident process never gives back: these belong into short-lived children. */
const banned = [
  'undici',
  '@peculiar/x509',
  '@noble/',
  'systeminformation',
  'reflect-metadata',
  'pino',
  'commander',
  'onoff',
];
const builtInBanned = ['node:http', 'node:https', 'node:http2', 'node:worker_threads', 'node:inspector'];

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));

/** What is loaded with these files: static imports only, as drivers and children are loaded when they are needed. */
async function graphOf(...entries: string[]) {
  const { metafile } = await build({
    entryPoints: entries.map(source),
    outdir: 'unused',
    bundle: true,
    write: false,
    metafile: true,
    // Its addon is built for the device only.
    external: ['node-dht-sensor'],
    platform: 'node',
    absWorkingDir: fileURLToPath(new URL('../../..', import.meta.url)),
    format: 'esm',
    conditions: ['@ares/source'],
    logLevel: 'silent',
  });
  const files = new Set<string>();
  const builtIns = new Set<string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const { path: next, kind, external } of metafile.inputs[path]?.imports ?? []) {
      if (kind === 'dynamic-import') continue;
      if (external === true) builtIns.add(next);
      else visit(next);
    }
  };
  for (const entry of entries) visit(`agent/src/${entry}`);
  const packages = new Set(
    [...files].flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []),
  );
  const bundled = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 500 ? [path] : [])),
  );
  return { files: [...files], packages, builtIns, bundled };
}

describe('the resident process', () => {
  it('imports nothing that its memory cannot bear', async () => {
    const { files, packages, builtIns, bundled } = await graphOf(
      'operate/session.ts',
      'store/device-store.ts',
      'adapters/shell-guard.ts',
      'adapters/system-clock.ts',
    );
    expect([...packages].sort()).toEqual(['jose', 'zod']);
    for (const name of banned)
      expect(files.filter((path) => path.includes(`node_modules/${name}`))).toEqual([]);
    expect(
      files.filter((path) => path.includes('protocol/src/http') || path.includes('protocol/src/ble')),
    ).toEqual([]);
    // zod/mini costs 2.5 MB, zod 6, its locales as much again: none of that is left in the bundle.
    expect(bundled.filter((path) => /node_modules\/zod\/.*\/(classic|locales\/(?!en))/.test(path))).toEqual(
      [],
    );
    expect(files.length).toBeGreaterThan(40);
    for (const name of builtInBanned) expect([...builtIns]).not.toContain(name);
  });

  it('adds to that only mqtt and what it stands on when it connects', async () => {
    const { packages } = await graphOf('adapters/mqtt-broker-link.ts');
    for (const name of banned) expect([...packages]).not.toContain(name);
    expect([...packages]).toContain('mqtt');
  });

  it('adds nothing to these two when the whole agent is composed', async () => {
    const known = await Promise.all([graphOf('operate/session.ts'), graphOf('adapters/mqtt-broker-link.ts')]);
    const { packages, files } = await graphOf('cli/run.ts');
    expect([...packages].filter((name) => known.every((graph) => !graph.packages.has(name)))).toEqual([]);
    const late = /agent\/src\/(external-drivers|children|button)\/|adapters\/(networkmanager|bluetooth)/;
    expect(files.filter((path) => late.test(path))).toEqual([]);
    expect(files).toContain('agent/src/compose.ts');
  });
});
