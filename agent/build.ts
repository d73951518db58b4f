import { copyFile, glob, mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/*
 * The agent without its packages: agent/dist/ares-agent.mjs, with its parts and the guard beside it. Run it as
 *     node --max-semi-space-size=1 --lite-mode agent/dist/ares-agent.mjs run …
 * In parts, because a file is kept in memory whole: what only children load (undici, X.509, Noise) would cost the
 * resident process 8 to 18 MB. Native modules are optional and stay outside: they are built for the board.
 */
await mkdir(here('dist'), { recursive: true });
for await (const stale of glob('ares-agent*.mjs', { cwd: here('dist') })) await rm(here(`dist/${stale}`));
const { metafile } = await build({
  entryPoints: { 'ares-agent': here('src/main.ts') },
  outdir: here('dist'),
  outExtension: { '.js': '.mjs' },
  chunkNames: 'ares-agent-[name]-[hash]',
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  conditions: ['@ares/source'],
  external: ['onoff', 'epoll', 'node-dht-sensor', '@abandonware/bleno'],
  // CommonJS packages of a bundle ask for Node's modules by require.
  banner: {
    js: "import { createRequire as aresCreateRequire } from 'node:module'; const require = aresCreateRequire(import.meta.url);",
  },
  legalComments: 'none',
  metafile: true,
});
await copyFile(here('src/guard/guard.sh'), here('dist/guard.sh'));
const outputs = Object.values(metafile.outputs);
const megabytes = outputs.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
process.stdout.write(`agent/dist/ares-agent.mjs: ${outputs.length} files, ${megabytes.toFixed(2)} MB\n`);
