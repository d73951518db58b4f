import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readText } from '../support/repository.ts';

const isRoot = process.getuid?.() === 0;
let folder: string;

/** The launcher with its paths below a folder, a user that every computer has, and a node that says how it was called. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ares-launcher-'));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'lib/runtime/bin'), { recursive: true });
  mkdirSync(join(folder, 'run'));
  const launcher = readText('deploy/agent-package/root/usr/bin/ares-agent')
    .replace('USER_NAME=ares-agent', 'USER_NAME=nobody')
    .replace('--regid "$USER_NAME"', '--regid nogroup')
    .replace('LIB=/usr/lib/ares-agent', `LIB=${folder}/lib`)
    .replace('CONFIG=/etc/ares-agent/config.json', `CONFIG=${folder}/config.json`)
    .replace('/run/ares-agent-trust', `${folder}/run/trust`);
  write('launcher', launcher);
  write(
    'lib/runtime/bin/node',
    `#!/bin/sh
shift 2
echo "user $(id -un) config \${ARES_CONFIG:-none} secret \${SECRET:-none}"
for a; do echo "argument $a"; [ ! -f "$a" ] || echo "content $(cat "$a")"; done
exit 7
`,
  );
  write('config.json', '{}');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text, { mode: 0o755 });
}

const launch = (...args: string[]) =>
  spawnSync('sh', [join(folder, 'launcher'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, SECRET: 'of the caller' },
  });

describe.skipIf(!isRoot)('the launcher, called by root (skipped for others)', () => {
  it('goes on as the user of the agent, without the variables of the caller, with the settings of the package', () => {
    const { stdout, status } = launch('status', '--json');
    expect(stdout).toBe(
      `user nobody config ${folder}/config.json secret none\nargument status\nargument --json\n`,
    );
    expect(status).toBe(7);
  });

  it.each([
    ['--trust FILE', (file: string) => ['--trust', file]],
    ['--trust=FILE', (file: string) => [`--trust=${file}`]],
  ])('lends the agent a trust file of root by %s, and takes the copy away again', (_, flags) => {
    const file = join(folder, 'trust.json');
    writeFileSync(file, 'of root', { mode: 0o600 });
    const { stdout } = launch('factory-init', ...flags(file), '--hardware-variant', 'a b');
    const lent = /argument (?:--trust=)?(\S*run\/trust\S*)/.exec(stdout)?.[1] ?? '';
    expect(lent).not.toBe('');
    if (!stdout.includes('--trust=')) expect(stdout).toContain('content of root');
    expect(stdout).toContain('argument a b');
    expect(() => readFileSync(lent)).toThrow(/ENOENT/);
    expect(readFileSync(file, 'utf8')).toBe('of root');
  });

  it('lets doctor read the journal, and nothing else', () => {
    write('lib/runtime/bin/node', '#!/bin/sh\nid -Gn\n');
    expect(launch('doctor').stdout.split(/\s+/)).toContain('systemd-journal');
    expect(launch('status').stdout.trim().split(' ')).toEqual(['nogroup']);
  });

  it('says which trust file is not there', () => {
    const { stderr, status } = launch('factory-init', '--trust', join(folder, 'none.json'));
    expect(stderr).toContain('none.json');
    expect(status).toBe(1);
  });
});

describe.skipIf(!isRoot)('the launcher, called by another user', () => {
  const launchAs = (...args: string[]) =>
    spawnSync(
      'setpriv',
      ['--reuid=daemon', '--regid=daemon', '--clear-groups', 'sh', join(folder, 'launcher'), ...args],
      {
        encoding: 'utf8',
        env: { PATH: process.env.PATH },
      },
    );

  it('says that the files of the device need sudo', () => {
    const { stderr, status } = launchAs('status');
    expect(stderr).toContain('sudo ares-agent status');
    expect(status).toBe(1);
  });

  it('runs what needs none', () => {
    expect(launchAs('--version').stdout).toContain('argument --version');
    expect(launchAs('status', '--state-dir', folder).stdout).toContain('user daemon');
  });
});
