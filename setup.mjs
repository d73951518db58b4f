// Installs the dependencies when node_modules does not match the lock file, so that `npm start`
// and `npm test` are one command each on a fresh clone. Node 20 built-ins only: on a new machine
// this runs before the pinned Node is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(dirname(fileURLToPath(import.meta.url)));
const stampFile = 'node_modules/.ares-setup';
const stamp = createHash('sha256')
  .update(readFileSync('package-lock.json'))
  .update(`${process.platform}-${process.arch}`)
  .digest('hex');
const installed = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
if (!installed) {
  const npm = process.env.npm_execpath;
  if (npm === undefined) {
    console.error('Run this through npm: npm start, npm test or npm run <script>.');
    process.exit(1);
  }
  console.error('Installing dependencies (first run, about half a minute) …');
  // The flags undo a user's `omit` settings: without the optional packages there is no Node 24.
  const result = spawnSync(
    process.env.npm_node_execpath ?? process.execPath,
    [npm, 'ci', '--include=dev', '--include=optional', '--foreground-scripts=false'],
    { stdio: ['ignore', 2, 2] },
  );
  if (result.status !== 0) {
    console.error('npm ci failed. Check the network and the free disk space, then run the command again.');
    process.exit(1);
  }
  writeFileSync(stampFile, stamp);
}
