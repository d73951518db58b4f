import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../command.ts';
import { cacheFolder, withLock } from './layer.ts';

export type Architecture = 'amd64' | 'arm64';

const SUITE = 'bookworm';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Debian publishes a few times a day; older lists name files that the mirror no longer has. */
const LISTS_LAST_MS = 6 * 3_600_000;

/** Debian bookworm as the host's mirror has it, in a package database of its own: the host's is not touched. */
export interface Apt {
  readonly architecture: Architecture;
  readonly suite: string;
  /** A sources.list for mmdebstrap. */
  readonly sources: string;
  /** `name=version` of every package that installing these into an empty system brings. */
  closure(packages: readonly string[]): Promise<readonly string[]>;
  /** What a package of backports depends on, as `apt-cache depends` prints it. */
  backportDepends(name: string): Promise<string>;
  /** The version that backports has. */
  backportVersion(name: string): Promise<string>;
  /** The newest version of a source package in the release itself. */
  sourceVersion(name: string): Promise<string>;
  download(packages: readonly string[], folder: string): Promise<void>;
  /** Downloads and unpacks a source package. */
  downloadSource(name: string, folder: string): Promise<void>;
}

/** Opens the package database, refreshed when it is old. */
export async function openApt(architecture: Architecture, options = { refresh: false }): Promise<Apt> {
  const folder = join(cacheFolder, `apt-${architecture}`);
  for (const part of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(folder, part), { recursive: true });
  const sources = join(folder, 'sources.list');
  const configuration = join(folder, 'apt.conf');
  writeFileSync(sources, sourcesList());
  writeFileSync(
    configuration,
    [
      `APT::Architecture "${architecture}";`,
      `APT::Architectures "${architecture}";`,
      // The host's root may read the cache, the host's _apt user perhaps not.
      'APT::Sandbox::User "root";',
      `Dir::State::Lists "${folder}/lists";`,
      'Dir::State::status "/dev/null";',
      `Dir::Etc::SourceList "${sources}";`,
      'Dir::Etc::SourceParts "/dev/null";',
      `Dir::Cache "${folder}/cache";`,
      'Acquire::Retries "3";',
    ].join('\n'),
  );
  const env = { APT_CONFIG: configuration };
  const stamp = join(folder, 'refreshed');
  await withLock(join(folder, 'lock'), async () => {
    if (options.refresh || !existsSync(stamp) || Date.now() - statSync(stamp).mtimeMs > LISTS_LAST_MS) {
      await command('apt-get', ['update', '-qq', '--error-on=any'], { env });
      writeFileSync(stamp, '');
    }
  });
  const backports = ['-t', `${SUITE}-backports`];
  return {
    architecture,
    suite: SUITE,
    sources,
    closure: async (packages) => {
      const plan = await command(
        'apt-get',
        ['install', '--simulate', '--no-install-recommends', ...packages],
        { env },
      );
      return [...plan.matchAll(/^Inst (\S+) \((\S+) /gm)]
        .map((match) => `${match[1]}=${match[2]}`)
        .toSorted();
    },
    backportDepends: (name) => command('apt-cache', [...backports, 'depends', name], { env }),
    backportVersion: async (name) => {
      const policy = await command('apt-cache', ['madison', name], { env });
      const line = policy.split('\n').find((text) => text.includes(`${SUITE}-backports`));
      if (line === undefined) throw new Error(`${name} is not in ${SUITE}-backports of this mirror`);
      return line.split('|')[1]?.trim() ?? '';
    },
    sourceVersion: async (name) => {
      const shown = await command('apt-cache', ['showsrc', '--only-source', name], { env });
      return /^Version: (.+)$/m.exec(shown)?.[1] ?? '';
    },
    download: async (packages, into) => {
      await command('apt-get', ['download', '-qq', ...packages], { env, cwd: into });
    },
    downloadSource: async (name, into) => {
      await command('apt-get', ['source', '-qq', '--only-source', name], { env, cwd: into });
    },
  };
}

/** The host's own Debian mirror with the suites the lab needs. */
function sourcesList(): string {
  const mirror = hostMirror();
  const security = mirror.replace(/\/debian\/?$/, '/debian-security');
  const entry = (kind: string, uri: string, suite: string) =>
    `${kind} [signed-by=${KEYRING}] ${uri} ${suite} main\n`;
  return [
    entry('deb', mirror, SUITE),
    entry('deb', mirror, `${SUITE}-updates`),
    entry('deb', security, `${SUITE}-security`),
    entry('deb', mirror, `${SUITE}-backports`),
    entry('deb-src', mirror, SUITE),
  ].join('');
}

/** The address of the first Debian archive (…/debian) in the host's apt sources, of either format. */
function hostMirror(): string {
  const folder = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : []),
  ];
  for (const file of files) {
    if (!existsSync(file)) continue;
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const address = /^(?:deb .*?|URIs:.*?)(\S+:\/\/\S+\/debian)\/?(?:\s|$)/.exec(line)?.[1];
      if (address !== undefined) return address;
    }
  }
  throw new Error('no Debian mirror in the apt sources of this machine: the lab builds its system from one');
}
