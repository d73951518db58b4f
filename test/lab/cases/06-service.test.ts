import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { makeGpioChip } from '../gpio-sim.ts';
import { installLog } from '../layers/installed.ts';
import { Vm } from '../vm.ts';

const deb = inject('labPackage');
const machine = inject('labInstalled');
const LATER = '/root/later.deb';

describe.skipIf(machine === null)('the package, from apt to purge (skipped with ARES_DEB=none)', () => {
  let vm: Vm;
  let work: string;
  const show = async (property: string) => (await vm.sh(`systemctl show -P ${property} ares-agent`)).trim();
  /** What makes a device this one. */
  const identity = () =>
    vm.sh('cd /var/lib/ares-agent && sha256sum identity.json identity-key.pem setup-code');
  const isRunning = () =>
    vm.sh(`
      for try in $(seq 600); do
        [ "$(systemctl show -P SubState ares-agent)" = running ] && exit 0
        sleep 0.1
      done
      systemctl status --no-pager ares-agent
      exit 1`);
  const killed = (signal: string) => vm.sh(`kill -${signal} "$(systemctl show -P MainPID ares-agent)"`);
  /** Until it runs under another number of the process. */
  const runsAgain = async (before: string) => {
    await vm.sh(`
      for try in $(seq 900); do
        pid=$(systemctl show -P MainPID ares-agent)
        [ "$pid" != ${before} ] && [ "$pid" != 0 ] && exit 0
        sleep 0.1
      done
      exit 1`);
    await isRunning();
  };

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'ares-upgrade-'));
    vm = await Vm.start(machine!);
  });

  afterAll(async () => {
    await vm.stop();
    rmSync(work, { recursive: true, force: true });
  });

  it('is installed by apt, runs, and prints the label that `ares-agent label` shows again', async () => {
    const { setupCode } = JSON.parse(await vm.sh('ares-agent label --json')) as { setupCode: string };
    expect(installLog(machine!)).toContain(setupCode);
    expect(await show('ActiveState')).toBe('active');
    expect(await show('Type')).toBe('notify');
    expect(await show('User')).toBe('ares-agent');
    expect(await vm.sh('systemctl is-enabled ares-agent ares-agent-radio.socket')).toBe('enabled\nenabled\n');
    // What it printed for the one who installed it is in no log.
    expect(await vm.sh('journalctl --no-pager')).not.toContain(setupCode);
  });

  it('says what it waits for', async () => {
    expect(await vm.sh('ares-agent status')).toMatch(/factory-init/);
  });

  it('keeps its state to itself', async () => {
    expect((await vm.sh('stat -c "%a %U" /var/lib/ares-agent')).trim()).toBe('700 ares-agent');
    const foreign = await vm.sh(
      'find /var/lib/ares-agent ! -user ares-agent; find /var/lib/ares-agent -perm /077 ! -type s',
    );
    expect(foreign).toBe('');
    expect((await vm.run('setpriv --reuid=nobody --clear-groups ls /var/lib/ares-agent')).status).not.toBe(0);
  });

  it('takes a trust file that only root can read', async () => {
    writeFileSync(join(vm.share, 'trust.json'), '{}');
    const tried = await vm.run(
      'install -m 600 /run/lab/share/trust.json /root/trust.json; ares-agent factory-init --trust /root/trust.json',
    );
    // It was read: what is wrong with it is what it says.
    expect(tried.stderr).toMatch(/is not valid/);
    expect(await vm.sh('ls /run | grep trust || true')).toBe('');
  });

  it('is exposed no more than 1.4, its radio no more than 1.6', async () => {
    await vm.sh('systemd-analyze security --no-pager --threshold=14 ares-agent.service');
    await vm.sh('systemd-analyze security --no-pager --threshold=16 ares-agent-radio@test.service');
  });

  it('has its lines inside of its sandbox: by the character device, and by sysfs', async () => {
    const chip = await makeGpioChip(vm);
    await vm.sh(`
      sed -e '/^ExecStart=/d; /^ExecStopPost=/d; /^Type=/d; /^NotifyAccess=/d; /^Watchdog/d; /^Restart/d; /^Runtime/d' \
        -e 's#^.Service.#[Service]\\nType=oneshot\\nExecStart=/bin/sh /var/lib/ares-agent/try.sh#' \
        /usr/lib/systemd/system/ares-agent.service >/run/systemd/system/try.service
      cat >/var/lib/ares-agent/try.sh <<'END'
exec >/var/lib/ares-agent/try.out 2>&1
set -eu
gpioset --mode=time --sec=1 ${chip.device.slice('/dev/'.length)} 17=1 && echo character device
# A board has other chips too.
base=$(cat "$(dirname "$(grep -l bcm2711 /sys/class/gpio/gpiochip*/label)")/base")
echo $((base + 18)) >/sys/class/gpio/export
line=/sys/class/gpio/gpio$((base + 18))
for try in $(seq 50); do [ -w $line/direction ] && break; sleep 0.1; done
echo high >$line/direction
[ "$(cat $line/value)" = 1 ] && echo sysfs
END
      chown ares-agent /var/lib/ares-agent/try.sh
      systemctl daemon-reload
      systemctl start try || true`);
    expect(await vm.sh('cat /var/lib/ares-agent/try.out')).toBe('character device\nsysfs\n');
    expect(await chip.value(18)).toBe(1);
    await vm.sh('rm /var/lib/ares-agent/try.* /run/systemd/system/try.service');
  });

  it('is back after kill -9', async () => {
    const before = await show('MainPID');
    await killed('KILL');
    await runsAgain(before);
    expect(Number(await show('NRestarts'))).toBeGreaterThan(0);
  });

  it('is ended and started again by the watchdog when it hangs', async () => {
    await vm.sh(`
      mkdir -p /run/systemd/system/ares-agent.service.d
      printf '[Service]\\nWatchdogSec=6\\nRestartSec=1\\n' >/run/systemd/system/ares-agent.service.d/short.conf
      systemctl daemon-reload
      systemctl restart ares-agent`);
    await isRunning();
    const before = await show('MainPID');
    // Longer than the limit: it is fed.
    await vm.sh('sleep 8');
    expect(await show('MainPID')).toBe(before);
    await killed('STOP');
    await runsAgain(before);
    expect(await vm.sh('journalctl -u ares-agent --no-pager')).toContain('Watchdog timeout');
    await vm.sh('rm -r /run/systemd/system/ares-agent.service.d; systemctl daemon-reload');
  });

  it('CMD-07 writes outputs that were on to their safe level when agent and guard are killed together', async () => {
    await vm.sh(`
      # Not by the next start, which does so too.
      mkdir -p /run/systemd/system/ares-agent.service.d
      printf '[Service]\\nRestart=no\\n' >/run/systemd/system/ares-agent.service.d/once.conf
      systemctl daemon-reload
      boot=$(cat /proc/sys/kernel/random/boot_id)
      cd /var/lib/ares-agent
      echo 1 >line
      printf '{"kernelBoot":"%s","outputs":[{"bcm":17,"path":"/var/lib/ares-agent/line","safeValue":"0"}]}' "$boot" >outputs.json
      chown ares-agent line outputs.json
      systemctl kill --kill-who=all --signal=KILL ares-agent
      for try in $(seq 200); do [ "$(cat line)" = 0 ] && exit 0; sleep 0.05; done
      exit 1`);
    await vm.sh(
      'rm -r /run/systemd/system/ares-agent.service.d; systemctl daemon-reload; systemctl start ares-agent',
    );
    await isRunning();
    await vm.sh('rm /var/lib/ares-agent/line');
  });

  it('is upgraded by a later version: stopped first, the same device afterwards, running', async () => {
    const before = { identity: await identity(), pid: await show('MainPID') };
    // Not from the shared folder: dpkg reads in small pieces, each of which is a question to the host.
    await vm.copyIn(laterVersion(deb!, work), LATER);
    await vm.sh(`dpkg -i ${LATER}`, { timeoutMs: 300_000 });
    await isRunning();
    expect(await vm.sh('dpkg -s ares-agent')).toContain('Version: 99.0.0');
    expect(await identity()).toBe(before.identity);
    expect(await show('MainPID')).not.toBe(before.pid);
  });

  it('leaves its state when it is removed, and is the same device when it comes back', async () => {
    const before = await identity();
    await vm.sh('dpkg --remove ares-agent');
    expect(await vm.sh('ls /var/lib/ares-agent')).toContain('identity.json');
    expect((await vm.run('pgrep -u ares-agent node')).status).toBe(1);
    await vm.sh(`dpkg -i ${LATER}`, { timeoutMs: 300_000 });
    await isRunning();
    expect(await identity()).toBe(before);
  });

  it('erases its state when it is purged', async () => {
    await vm.sh('dpkg --purge ares-agent');
    const left = await vm.sh(
      'ls -d /var/lib/ares-agent /etc/ares-agent /run/ares-agent /usr/lib/ares-agent /etc/systemd/system/*/ares-agent* 2>/dev/null || true',
    );
    expect(left).toBe('');
    expect((await vm.sh('systemctl is-failed ares-agent || true')).trim()).not.toBe('failed');
  });

  it('is installed without a running systemd, and makes no identity that copies of the image would share', async () => {
    // As in a chroot: the package sees no systemd at work.
    const ran = await vm.run(
      `unshare --mount sh -c 'mount -t tmpfs none /run/systemd && dpkg -i ${LATER}; echo "installed $?"'
      ls -A /var/lib/ares-agent
      ls /etc/systemd/system/multi-user.target.wants`,
      { timeoutMs: 300_000 },
    );
    expect(ran.stdout).toContain('installed 0');
    expect(ran.stdout).toContain('ares-agent.service');
    expect(ran.stdout).not.toContain('identity.json');
  });
});

/** The same package with a higher version number, its files not packed: an emulated machine unpacks them slowly. */
function laterVersion(file: string, work: string): string {
  const run = (script: string) => execFileSync('sh', ['-ec', script], { cwd: work });
  run(`
    ar x '${file}'
    mkdir control && tar -xf control.tar.xz -C control
    sed -i 's/^Version:.*/Version: 99.0.0/' control/control
    tar -cJf control.tar.xz -C control .
    xz -d data.tar.xz
    ar rc later.deb debian-binary control.tar.xz data.tar`);
  return join(work, 'later.deb');
}
