import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Architecture, checkIntegrity, lockedPackage, names, repository, run } from './tools.ts';

/**
 * Folder of the pinned Node for an architecture: `bin/node`, `include/node`, LICENSE. npm installs only the one of
 * this computer; another one is fetched once, by the version and the hash of the lock file.
 *
 * @throws {PackageError}
 */
export function nodePackage(arch: Architecture): string {
  const name = `node-linux-${names[arch].node}`;
  const installed = join(repository, 'node_modules', name);
  if (existsSync(join(installed, 'bin/node'))) return installed;
  const { version, integrity } = lockedPackage(name);
  const kept = join(repository, 'node_modules/.cache/ares-deb', `${name}-${version}`);
  if (!existsSync(join(kept, 'bin/node'))) fetchPackage(`${name}@${version}`, integrity, kept);
  return kept;
}

function fetchPackage(spec: string, integrity: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  const folder = mkdtempSync(`${target}.`);
  try {
    const packed = run('npm', ['pack', spec, '--json', '--pack-destination', folder]);
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
    const archive = join(folder, filename);
    checkIntegrity(archive, integrity);
    run('tar', ['-xzf', archive, '--no-same-owner', '-C', folder]);
    rmSync(target, { recursive: true, force: true });
    renameSync(join(folder, 'package'), target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
