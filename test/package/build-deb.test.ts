import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { libraries } from '../../deploy/agent-package/addons.ts';
import { buildDeb } from '../../deploy/agent-package/build-deb.ts';
import { findTool, hostArchitecture, isInstalled } from '../../deploy/agent-package/tools.ts';
import { root } from '../support/repository.ts';

const host = hostArchitecture();
const other = host === 'amd64' ? 'arm64' : 'amd64';
const hasCompiler = (arch: typeof host) => ['gcc', 'g++', 'strip'].every((tool) => findTool(tool, arch));
const canBuild = isInstalled('dpkg-deb') && hasCompiler(host);
const work = mkdtempSync(join(tmpdir(), 'ares-package-'));

afterAll(() => rmSync(work, { recursive: true, force: true }));

/** By the command that people use, in an environment of its own. */
function build(name: string, options: { readonly umask: string; readonly zone: string }): string {
  const folder = join(work, name);
  mkdirSync(join(folder, 'tmp'), { recursive: true });
  const program = join(root, 'deploy/agent-package/build-deb-main.ts');
  const command = `umask ${options.umask}; exec "$0" --conditions=@ares/source "$1" --out "$2"`;
  execFileSync('sh', ['-c', command, process.execPath, program, folder], {
    env: { ...process.env, TMPDIR: join(folder, 'tmp'), TZ: options.zone, SOURCE_DATE_EPOCH: '1790000000' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [file] = globSync(join(folder, '*.deb'));
  if (file === undefined) throw new Error('no package was made');
  return file;
}

const list = (deb: string) =>
  execFileSync('dpkg-deb', ['--contents', deb], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => {
      const [mode, owner, , , , path] = line.split(/\s+/);
      return { mode, owner, path };
    });

describe.skipIf(!canBuild)('the package of this computer (skipped without dpkg-deb, gcc, g++)', () => {
  let deb: string;
  let unpacked: string;

  beforeAll(() => {
    deb = build('one', { umask: '022', zone: 'UTC' });
    unpacked = join(work, 'unpacked');
    execFileSync('dpkg-deb', ['--extract', deb, unpacked]);
  }, 600_000);

  it('is the same, byte for byte, when somebody else builds it elsewhere', () => {
    const second = build('two', { umask: '077', zone: 'Pacific/Kiritimati' });
    expect(readFileSync(second).equals(readFileSync(deb))).toBe(true);
  });

  it('has files of root that nobody else can write, and programs where people look for them', () => {
    const files = list(deb);
    expect(files.filter(({ owner }) => owner !== 'root/root')).toEqual([]);
    expect(files.filter(({ mode = '' }) => /^.{5}w|^.{8}w|[sS]/.test(mode))).toEqual([]);
    const programs = files.filter(({ mode = '' }) => mode.startsWith('-rwx')).map(({ path }) => path);
    expect(programs).toContain('./usr/bin/ares-agent');
    expect(programs).toContain('./usr/lib/ares-agent/app/guard.sh');
    expect(programs).toContain('./usr/lib/ares-agent/app/outputs-safe.sh');
    expect(programs).toContain('./usr/lib/ares-agent/runtime/bin/node');
  });

  it('runs by its own Node, with every native library found beside the bundle', () => {
    const program = join(unpacked, 'usr/lib/ares-agent');
    const node = join(program, 'runtime/bin/node');
    const version = spawnSync(node, [join(program, 'app/ares-agent.mjs'), '--version'], { encoding: 'utf8' });
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const script = join(program, 'app/load.mjs');
    writeFileSync(script, 'await import(process.argv[2]); process.exit();');
    for (const { name } of libraries) {
      // Alone in a folder: nothing of the repository can help.
      const { stderr } = spawnSync(node, [script, name], { cwd: '/', env: {}, encoding: 'utf8' });
      // A kernel without Bluetooth is no fault of the package.
      expect(stderr.includes('EAFNOSUPPORT') ? '' : stderr, name).toBe('');
    }
  });

  it.skipIf(!isInstalled('lintian'))(
    'has nothing that lintian calls an error (skipped without lintian)',
    () => {
      const { stdout } = spawnSync('lintian', ['--fail-on=none', '--allow-root', deb], { encoding: 'utf8' });
      expect(stdout.split('\n').filter((line) => line.startsWith('E:'))).toEqual([]);
    },
  );
});

describe.skipIf(!canBuild || !hasCompiler(other))(
  `the package for ${other} (skipped without a cross compiler)`,
  () => {
    it('has native libraries of that architecture, all of them', () => {
      const said: string[] = [];
      const { file } = buildDeb({
        arch: other,
        version: '0.0.1',
        outFolder: join(work, 'cross'),
        epoch: 1_790_000_000,
        runtime: false,
        say: (line) => said.push(line),
      });
      expect(said).toEqual([]);
      const unpacked = join(work, 'cross/unpacked');
      execFileSync('dpkg-deb', ['--extract', file, unpacked]);
      const addons = globSync('**/*.node', { cwd: unpacked });
      // By the machine field of the ELF header: 62 x86-64, 183 AArch64.
      const machines = addons.map((addon) => readFileSync(join(unpacked, addon)).readUInt16LE(18));
      expect(machines).toEqual(libraries.map(() => (other === 'arm64' ? 183 : 62)));
    });
  },
);
