import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readText } from '../support/repository.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ares-prerm-'));
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(process.getuid?.() !== 0)('removing the package (skipped for others than root)', () => {
  it('runs nothing as root that the agent could have written', () => {
    const [run, app] = [join(folder, 'run'), join(folder, 'app')];
    const line = join(run, 'lines/gpio17');
    mkdirSync(line, { recursive: true });
    writeFileSync(join(line, 'line'), '1 gpiochip0 17 0 gpioset\n');
    writeFileSync(join(run, 'lines/line-holder.sh'), `touch ${folder}/owned\n`);
    mkdirSync(app);
    writeFileSync(join(app, 'line-holder.sh'), 'echo "$(id -un) $2" >"$1/released"\n', { mode: 0o755 });
    execFileSync('chown', ['-R', 'nobody:nogroup', run]);
    const script = join(folder, 'prerm');
    const text = readText('deploy/agent-package/debian/prerm')
      .replaceAll('/run/ares-agent/', `${run}/`)
      .replaceAll('/usr/lib/ares-agent/app/', `${app}/`)
      .replaceAll('[ -d /run/systemd/system ]', 'false')
      .replaceAll('--reuid ares-agent --regid ares-agent', '--reuid nobody --regid nogroup');
    writeFileSync(script, text);
    const { status, stderr } = spawnSync('sh', [script, 'remove'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(existsSync(join(folder, 'owned'))).toBe(false);
    expect(readFileSync(join(line, 'released'), 'utf8')).toBe('nobody release\n');
  });
});
