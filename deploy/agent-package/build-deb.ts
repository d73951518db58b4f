import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { collectLibraries } from './addons.ts';
import { bundledPackages, copyrightText } from './notices.ts';
import { nodePackage } from './runtime.ts';
import { type Architecture, findTool, isInstalled, PackageError, repository, run } from './tools.ts';

/** The agent's own code: without the runtime and the native libraries. */
const MAX_BUNDLE_BYTES = 3_000_000;

const here = (path: string) => join(repository, 'deploy/agent-package', path);

export interface Deb {
  readonly file: string;
  readonly bytes: number;
  /** The agent's own code, as it is loaded. */
  readonly bundleBytes: number;
  /** Native libraries with their JavaScript. */
  readonly libraryBytes: number;
}

/**
 * Builds the Debian package of the agent. The same sources make the same bytes.
 *
 * @param options.epoch what every date in the package is, s since 1970
 * @param options.runtime false leaves the runtime out: quick, for tests of everything else
 * @throws {PackageError}
 */
export function buildDeb(options: {
  readonly arch: Architecture;
  readonly version: string;
  readonly outFolder: string;
  readonly epoch: number;
  readonly runtime?: boolean;
  say(line: string): void;
}): Deb {
  const { arch, version, epoch, outFolder, say } = options;
  if (!isInstalled('dpkg-deb')) throw new PackageError('dpkg-deb is not installed; it comes with Debian.');
  const work = mkdtempSync(join(tmpdir(), 'ares-deb-'));
  try {
    const root = join(work, 'root');
    const program = join(root, 'usr/lib/ares-agent');
    const app = join(program, 'app');
    cpSync(here('root'), root, { recursive: true });
    const bundled = bundle(app, work);
    const bundleBytes = sizeOf(app);
    if (bundleBytes > MAX_BUNDLE_BYTES)
      throw new PackageError(`The agent has ${bundleBytes} bytes of code; the limit is ${MAX_BUNDLE_BYTES}.`);
    const target = join(app, 'node_modules');
    const taken = collectLibraries({ arch, target, workFolder: join(work, 'addons'), say });
    const modules = taken.map((name) => `node_modules/${name}`);
    if (options.runtime !== false) installRuntime(arch, program, say);
    const doc = join(root, 'usr/share/doc/ares-agent');
    mkdirSync(doc, { recursive: true });
    const year = new Date(epoch * 1_000).getUTCFullYear();
    writeFileSync(join(doc, 'copyright'), copyrightText([...new Set([...bundled, ...modules])].sort(), year));
    gzip(join(doc, 'LICENSE.node.gz'), readFileSync(join(nodePackage(arch), 'LICENSE')));
    gzip(join(doc, 'changelog.gz'), changelog(version, epoch));
    const man = join(root, 'usr/share/man/man1');
    mkdirSync(man, { recursive: true });
    gzip(join(man, 'ares-agent.1.gz'), readFileSync(here('debian/ares-agent.1')));
    const overrides = join(root, 'usr/share/lintian/overrides');
    mkdirSync(overrides, { recursive: true });
    cpSync(here('debian/lintian-overrides'), join(overrides, 'ares-agent'));
    writeControl(root, { arch, version });
    settle(root, epoch);
    mkdirSync(outFolder, { recursive: true });
    const file = join(outFolder, `ares-agent_${version}_${arch}.deb`);
    run('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', root, file], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
    });
    return { file, bytes: lstatSync(file).size, bundleBytes, libraryBytes: sizeOf(target) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Time of the last commit, unless SOURCE_DATE_EPOCH says another; s since 1970. @throws {PackageError} */
export function sourceEpoch(): number {
  const given = process.env.SOURCE_DATE_EPOCH ?? run('git', ['log', '-1', '--format=%ct']).trim();
  if (!/^\d+$/.test(given)) throw new PackageError('SOURCE_DATE_EPOCH must be a number of seconds.');
  return Number(given);
}

/** @returns folders of the npm packages in the bundle */
function bundle(app: string, work: string): string[] {
  const metafile = join(work, 'bundle.json');
  const script = join(repository, 'agent/build.ts');
  run(process.execPath, ['--conditions=@ares/source', script, '--outdir', app, '--metafile', metafile]);
  const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')) as { inputs: Record<string, unknown> };
  return bundledPackages(Object.keys(inputs));
}

function installRuntime(arch: Architecture, program: string, say: (line: string) => void): void {
  const target = join(program, 'runtime/bin/node');
  mkdirSync(join(program, 'runtime/bin'), { recursive: true });
  const source = join(nodePackage(arch), 'bin/node');
  const strip = findTool('strip', arch);
  // Names of functions inside are not needed to run, and an eighth of the file.
  if (strip !== undefined) run(strip, ['--strip-unneeded', '-o', target, source]);
  else {
    say(`not stripped: the runtime (there is no strip for ${arch}; install its binutils)`);
    cpSync(source, target);
  }
}

function writeControl(root: string, values: { readonly arch: string; readonly version: string }): void {
  const control = join(root, 'DEBIAN');
  const kilobytes = Math.ceil(sizeOf(root) / 1_024);
  mkdirSync(control);
  const text = readFileSync(here('debian/control.in'), 'utf8')
    .replace('@VERSION@', values.version)
    .replace('@ARCH@', values.arch)
    .replace('@SIZE@', String(kilobytes));
  writeFileSync(join(control, 'control'), text);
  for (const script of ['postinst', 'prerm', 'postrm'])
    cpSync(here(`debian/${script}`), join(control, script));
  const conffiles = filesOf(join(root, 'etc')).map((file) => `/etc/${file}\n`);
  writeFileSync(join(control, 'conffiles'), conffiles.sort().join(''));
  const sums = filesOf(root).filter((file) => !/^(?:DEBIAN|etc)\//.test(file));
  writeFileSync(join(control, 'md5sums'), run('md5sum', sums.sort(), { cwd: root }));
}

function changelog(version: string, epoch: number): Buffer {
  const date = new Date(epoch * 1_000).toUTCString().replace('GMT', '+0000');
  const text = `ares-agent (${version}) stable; urgency=medium

  * What is new stands in CHANGELOG.md of the sources.

 -- Ares contributors <maintainers@ares.example.org>  ${date}
`;
  return Buffer.from(text);
}

function gzip(file: string, content: Buffer): void {
  writeFileSync(file, gzipSync(content, { level: 9 }));
}

/** Modes and dates that do not depend on who built it, and when. */
function settle(root: string, epoch: number): void {
  for (const path of ['.', ...globSync('**', { cwd: root })].map((name) => join(root, name))) {
    if (lstatSync(path).isDirectory()) chmodSync(path, 0o755);
    else chmodSync(path, isProgram(path) ? 0o755 : 0o644);
    utimesSync(path, epoch, epoch);
  }
}

function isProgram(path: string): boolean {
  return /\/bin\/[^/]+$|\/DEBIAN\/(?:pre|post)(?:inst|rm)$|\.sh$/.test(path);
}

function filesOf(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return globSync('**', { cwd: folder }).filter((name) => lstatSync(join(folder, name)).isFile());
}

function sizeOf(folder: string): number {
  return filesOf(folder).reduce((sum, name) => sum + lstatSync(join(folder, name)).size, 0);
}
