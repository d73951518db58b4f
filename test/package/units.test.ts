import { execFileSync, spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { isInstalled } from '../../deploy/agent-package/tools.ts';
import { readText, root } from '../support/repository.ts';

const folder = 'deploy/agent-package/root/usr/lib/systemd/system';
const unit = (name: string) => readText(join(folder, name));
/** A directive's values, in order. */
const values = (name: string, directive: string) =>
  [...unit(name).matchAll(new RegExp(`^${directive}=(.*)$`, 'gm'))].map((match) => match[1]);

/** Highest exposure by `systemd-analyze security` of systemd 252, in tenths. */
const thresholds = { 'ares-agent.service': 14, 'ares-agent-radio@.service': 16 };

describe.skipIf(!isInstalled('systemd-analyze'))('units (skipped without systemd-analyze)', () => {
  it.each(Object.entries(thresholds))('%s is exposed no more than %d tenths', (name, threshold) => {
    const { status, stdout } = spawnSync(
      'systemd-analyze',
      ['security', '--offline=yes', '--no-pager', `--threshold=${threshold}`, join(root, folder, name)],
      { encoding: 'utf8' },
    );
    expect(stdout).toMatch(/Overall exposure level/);
    expect({ status, worst: stdout.trim().split('\n').at(-1) }).toMatchObject({ status: 0 });
  });

  it('have no directive that systemd does not know, but those of later versions', () => {
    const names = [...Object.keys(thresholds), 'ares-agent-radio.socket'];
    const { stderr } = spawnSync(
      'systemd-analyze',
      ['verify', ...names.map((name) => join(root, folder, name))],
      {
        encoding: 'utf8',
      },
    );
    const unknown = stderr
      .split('\n')
      .filter((line) => /Unknown|invalid|Failed to parse|ignoring/i.test(line));
    expect(unknown.filter((line) => !/'Restart(?:Steps|MaxDelaySec)'/.test(line))).toEqual([]);
  });
});

describe('the unit of the agent', () => {
  const agent = 'ares-agent.service';

  it('CMD-07 leaves the guard and who holds a line alone when the agent ends, and writes safe levels itself too', () => {
    expect(values(agent, 'KillMode')).toEqual(['process']);
    expect(values(agent, 'ExecStopPost').join()).toContain('outputs-safe.sh /var/lib/ares-agent');
    expect(values(agent, 'RuntimeDirectoryPreserve')).toEqual(['yes']);
  });

  it('CMD-07 can see, after a restart, whether who holds a line still does', () => {
    // Each start would be another user namespace, and /proc/PID/fd of a process in another one cannot be read.
    expect(values(agent, 'PrivateUsers')).toEqual([]);
  });

  it('never gives up', () => {
    expect(values(agent, 'Restart')).toEqual(['always']);
    expect(values(agent, 'StartLimitIntervalSec')).toEqual(['0']);
  });

  it('lets no key reach a core file, also of an agent that hangs', () => {
    expect(values(agent, 'LimitCORE')).toEqual(['0']);
    expect(values(agent, 'WatchdogSignal')).toEqual(['SIGKILL']);
  });

  it('has no capability and state for nobody else', () => {
    expect(values(agent, 'CapabilityBoundingSet')).toEqual(['']);
    expect(values(agent, 'StateDirectoryMode')).toEqual(['0700']);
  });

  it('lets no child of the agent speak to systemd for it', () => {
    expect(values(agent, 'NotifyAccess')).toEqual(['main']);
  });

  it('may not ask by netlink, and does not', () => {
    expect(values(agent, 'RestrictAddressFamilies')).toEqual(['AF_UNIX AF_INET AF_INET6']);
    const asking = ['agent', 'hardware-drivers', 'protocol'].flatMap((name) =>
      globSync(`${name}/src/**/*.ts`, { cwd: root }).filter((file) =>
        /\bnetworkInterfaces\(/.test(readText(file)),
      ),
    );
    expect(asking).toEqual([]);
  });

  it('has its name in the journal, not that of Node', () => {
    expect(values(agent, 'SyslogIdentifier')).toEqual(['ares-agent']);
    expect(values('ares-agent-radio@.service', 'SyslogIdentifier')).toEqual(['ares-agent-radio']);
  });
});

describe('the unit of the radio', () => {
  it('is started by the agent alone', () => {
    expect(values('ares-agent-radio.socket', 'SocketUser')).toEqual(['ares-agent']);
    expect(values('ares-agent-radio.socket', 'SocketMode')).toEqual(['0600']);
    expect(values('ares-agent-radio.socket', 'MaxConnections')).toEqual(['1']);
  });

  it('is another user, who sees neither keys nor the network', () => {
    const radio = 'ares-agent-radio@.service';
    expect(values(radio, 'User')).toEqual(['ares-radio']);
    expect(values(radio, 'InaccessiblePaths').join()).toContain('/var/lib/ares-agent');
    expect(values(radio, 'RestrictAddressFamilies').join(' ').split(' ')).not.toContain('AF_INET');
  });

  it('cannot switch networks by its group, which it has for rfkill', () => {
    expect(values('ares-agent-radio@.service', 'InaccessiblePaths').join(' ')).toContain('-/run/dbus');
  });
});

describe('the rule of polkit', () => {
  it('grants the agent what it calls of NetworkManager, and nobody else anything', () => {
    const rule = readText('deploy/agent-package/root/usr/share/polkit-1/rules.d/60-ares-agent.rules');
    const polkit = { Result: { YES: 'yes' }, addRule: vi.fn() };
    runInNewContext(rule, { polkit });
    const [[decide]] = polkit.addRule.mock.calls as [[(action: object, subject: object) => unknown]];
    const ask = (id: string, user: string) =>
      decide({ id: `org.freedesktop.NetworkManager.${id}` }, { user });
    const used = ['checkpoint-rollback', 'network-control', 'settings.modify.system', 'wifi.scan'];
    expect(used.map((id) => ask(id, 'ares-agent'))).toEqual(used.map(() => 'yes'));
    expect(used.map((id) => ask(id, 'ares-radio'))).toEqual(used.map(() => undefined));
    for (const other of [
      'enable-disable-wifi',
      'enable-disable-network',
      'settings.modify.hostname',
      'reload',
    ])
      expect(ask(other, 'ares-agent')).toBeUndefined();
  });
});

describe.skipIf(!isInstalled('shellcheck'))('shell scripts (skipped without shellcheck)', () => {
  it('have nothing that shellcheck complains about', () => {
    const files = ['postinst', 'prerm', 'postrm'].map((name) => `debian/${name}`);
    files.push('root/usr/bin/ares-agent');
    const run = () =>
      execFileSync('shellcheck', ['--shell=sh', ...files], {
        cwd: join(root, 'deploy/agent-package'),
        encoding: 'utf8',
      });
    expect(run).not.toThrow();
  });
});
