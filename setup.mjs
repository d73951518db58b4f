// Installs the dependencies when node_modules does not match the lock file, so that `npm start`
// and `npm test` are one command each on a fresh clone. Node 20 built-ins only: on a new machine
// this runs before the pinned Node is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const LOCK_FILE = '.setup.lock';
const STAMP_FILE = 'node_modules/.ares-setup';

process.chdir(dirname(fileURLToPath(import.meta.url)));
const stamp = createHash('sha256')
  .update(readFileSync('package-lock.json'))
  .update(`${process.platform}-${process.arch}`)
  .digest('hex');
const isInstalled = () => existsSync(STAMP_FILE) && readFileSync(STAMP_FILE, 'utf8') === stamp;

if (!isInstalled()) {
  takeLock();
  try {
    // Another command may have installed while this one waited.
    if (!isInstalled()) install();
  } finally {
    rmSync(LOCK_FILE, { force: true });
  }
}

function install() {
  const npm = process.env.npm_execpath;
  if (npm === undefined) fail('Run this through npm: npm start, npm test or npm run <script>.');
  console.error('Installing dependencies (first run, about half a minute) …');
  // The flags undo a user's `omit` settings: without the optional packages there is no Node 24.
  const { status } = spawnSync(
    process.env.npm_node_execpath ?? process.execPath,
    [npm, 'ci', '--include=dev', '--include=optional', '--foreground-scripts=false'],
    { stdio: ['ignore', 2, 2] },
  );
  if (status !== 0)
    fail('npm ci failed. Check the network and the free disk space, then run the command again.');
  writeFileSync(STAMP_FILE, stamp);
}

/** Two commands at once on a fresh clone: the second waits, as `npm ci` would empty the folder under the first. */
function takeLock() {
  for (;;) {
    try {
      writeFileSync(LOCK_FILE, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isRunning(Number(readIfThere(LOCK_FILE)))) rmSync(LOCK_FILE, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isRunning(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function fail(why) {
  console.error(why);
  rmSync(LOCK_FILE, { force: true });
  process.exit(1);
}
