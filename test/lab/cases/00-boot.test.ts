import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { becomeBoard, raspberryPi4, raspberryPi5 } from '../board.ts';
import { makeGpioChip } from '../gpio-sim.ts';
import { Vm } from '../vm.ts';

let vm: Vm;

beforeAll(async () => {
  vm = await Vm.start(inject('labMachine'));
});

afterAll(() => vm.stop());

describe('a machine from the snapshot', () => {
  it('runs the kernel of backports with a settled systemd', async () => {
    expect(await vm.sh('uname -r')).toMatch(/^6\.12\./);
    expect((await vm.sh('systemctl is-system-running')).trim()).toBe('running');
  });

  it('has the time of the host', async () => {
    expect(Math.abs(Number(await vm.sh('date +%s')) - Date.now() / 1_000)).toBeLessThan(30);
  });

  it('has random numbers that its next copy does not have', async () => {
    await using other = await Vm.start(inject('labMachine'));
    const random = (of: Vm) => of.sh('head -c 16 /dev/urandom | od -An -tx1');
    expect(await random(vm)).not.toBe(await random(other));
  });

  it('looks like a Raspberry Pi', async () => {
    const serial = () => vm.sh("tr -d '\\0' </sys/firmware/devicetree/base/serial-number");
    expect(await vm.sh("tr '\\0' '\\n' </sys/firmware/devicetree/base/compatible")).toBe(
      'raspberrypi,4-model-b\nbrcm,bcm2711\n',
    );
    expect(await serial()).toBe(raspberryPi4.serial);
    await becomeBoard(vm, raspberryPi5);
    expect(await serial()).toBe(raspberryPi5.serial);
    expect(await vm.sh('grep ^Model /proc/cpuinfo')).toContain('Raspberry Pi 5');
  });

  it('has two Bluetooth controllers', async () => {
    expect((await vm.sh('ls /sys/class/bluetooth')).trim().split('\n')).toEqual(['hci0', 'hci1']);
  });

  it('reports a script that fails, with both outputs', async () => {
    expect(await vm.run('echo good; echo bad >&2; exit 3')).toEqual({
      status: 3,
      stdout: 'good\n',
      stderr: 'bad\n',
    });
    await expect(vm.sh('echo why >&2; false')).rejects.toThrow(/status 1.*why/s);
  });

  it('says what a script printed that takes too long', async () => {
    await expect(vm.run('echo begun; sleep 60', { timeoutMs: 2_000 })).rejects.toThrow(/begun/);
  });

  it('reaches the given port of the host as its own loopback, and nothing else', async () => {
    const { createServer } = await import('node:http');
    const server = createServer((_, answer) => answer.end('from the host'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await using online = await Vm.start(inject('labMachine'), { ports: [port] });
    expect(await online.sh(`curl -sS --max-time 20 http://127.0.0.1:${port}/`)).toBe('from the host');
    expect((await online.run(`curl -sS --max-time 5 http://10.0.2.2:${port}/`)).status).not.toBe(0);
    server.close();
    server.closeAllConnections();
  });
});

describe('simulated GPIO', () => {
  it('shows lines to the gpiod tools and to sysfs, and their levels to the case', async () => {
    const chip = await makeGpioChip(vm);
    expect(await vm.sh('gpiodetect')).toContain('[pinctrl-bcm2711] (54 lines)');
    expect(await vm.sh('gpiofind GPIO17')).toBe(`${chip.device.slice('/dev/'.length)} 17\n`);
    expect(await vm.sh('cat /sys/class/gpio/gpiochip*/label')).toContain('pinctrl-bcm2711\n');
    await chip.pull(17, 'pull-up');
    expect(await vm.sh('gpioget pinctrl-bcm2711 17')).toBe('1\n');
    await chip.pull(17, 'pull-down');
    expect(await vm.sh('gpioget pinctrl-bcm2711 17')).toBe('0\n');
    const driven = vm.sh('gpioset --mode=time --sec=2 pinctrl-bcm2711 17=1');
    expect(await chip.until(17, 1, 20_000)).toBeLessThan(20_000);
    await driven;
    await chip.until(17, 0, 5_000);
    await chip.remove();
    expect(await vm.sh('gpiodetect')).not.toContain('pinctrl-bcm2711');
  });
});

describe('a machine that is booted again', () => {
  // A reboot in order is a part of case 04.
  it('has the disk of before, after the plug was pulled', async () => {
    await vm.sh('echo kept >/root/file; sync');
    await vm.kill();
    await expect(vm.run('true')).rejects.toThrow(/stopped/);
    await vm.boot();
    expect(await vm.sh('cat /root/file')).toBe('kept\n');
  });
});
