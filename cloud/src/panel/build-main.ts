import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { prebuiltFolder, prebuiltName } from './assets.ts';
import { buildPanel } from './build.ts';

/** `npm run build:panel`: writes the panel for installations without esbuild. */
const folder = fileURLToPath(prebuiltFolder);
const files = await buildPanel();
await rm(folder, { recursive: true, force: true });
for (const [path, { body }] of files) {
  const target = join(folder, prebuiltName(path));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, body);
  console.log(`${path}  ${body.length} bytes, ${gzipSync(body).length} with gzip`);
}
