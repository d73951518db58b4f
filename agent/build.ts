import { copyFile, glob, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/*
 * The agent without its packages: ares-agent.mjs, with its parts and the guard beside it, in agent/dist or in the
 * folder of --outdir. --metafile FILE keeps esbuild's list of what went in. Run it as
 *     node --max-semi-space-size=1 --lite-mode agent/dist/ares-agent.mjs run …
 * In parts, because a file is kept in memory whole: what only children load (undici, X.509, Noise) would cost the
 * resident process 8 to 18 MB. Native modules are optional and stay outside: they are built for the board.
 */
const { values } = parseArgs({ options: { outdir: { type: 'string' }, metafile: { type: 'string' } } });
const outdir = values.outdir ?? here('dist');
await mkdir(outdir, { recursive: true });
for await (const stale of glob('ares-agent*.mjs', { cwd: outdir })) await rm(join(outdir, stale));
const { metafile } = await build({
  entryPoints: { 'ares-agent': here('src/main.ts') },
  // The same names and bytes wherever it is built.
  absWorkingDir: here('..'),
  outdir,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'ares-agent-[name]-[hash]',
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  conditions: ['@ares/source'],
  external: ['onoff', 'epoll', 'node-dht-sensor', '@abandonware/bleno', '@stoprocent/bleno'],
  // CommonJS packages of a bundle ask for Node's modules by require.
  banner: {
    js: "import { createRequire as aresCreateRequire } from 'node:module'; const require = aresCreateRequire(import.meta.url);",
  },
  legalComments: 'none',
  metafile: true,
});
// The guard of the outputs and who holds their lines.
for await (const script of glob('{agent,hardware-drivers}/src/**/*.sh', { cwd: here('..') }))
  await copyFile(here(`../${script}`), join(outdir, basename(script)));
if (values.metafile !== undefined) await writeFile(values.metafile, JSON.stringify(metafile));
const outputs = Object.values(metafile.outputs);
const megabytes = outputs.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
process.stdout.write(
  `${join(outdir, 'ares-agent.mjs')}: ${outputs.length} files, ${megabytes.toFixed(2)} MB\n`,
);
