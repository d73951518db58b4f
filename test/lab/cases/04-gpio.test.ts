import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { DeviceStatus } from '../../../agent/src/lifecycle/status.ts';
import { pairVirtualPi } from '../../../cloud/src/phone/simulated-phone.ts';
import { type BenchCloud, startBenchCloud } from '../../bench/bench-cloud.ts';
import { eventually, temporaryHome } from '../../support/ares-process.ts';
import { type GpioSim, makeGpioChip } from '../gpio-sim.ts';
import { BRISK, type LabDevice, makeDevice } from '../lab-device.ts';
import { connectPhone } from '../phone.ts';
import { Vm } from '../vm.ts';

const machine = inject('labWithPhone');
const PUMP = 17;
const BUTTON = 5;
const LED = 6;
/** A second on a board; emulation is slower. The agent comes back after 60 s at the earliest, so it was not the one. */
const AT_ONCE_MS = machine?.architecture === 'arm64' ? 15_000 : 5_000;
/** Longer than any test takes: nothing but what it is about makes the pump safe. */
const LONG_RUN_MS = 120_000;

const byCharacterDevice = { gpio: 'chardev', button: { line: BUTTON, led: LED } } as const;

/** A part of the service's defence that is taken away, to see the other one alone or to see the case fail. */
const without = {
  nothing: '',
  execStopPost: 'ExecStopPost=',
} as const;

describe.skipIf(machine === null)('the lines of an installed device, their pulls at the unsafe level', () => {
  const home = temporaryHome();
  let cloud: BenchCloud;
  let vm: Vm;
  let chip: GpioSim;
  let device: LabDevice;
  let componentId: number;

  const order = (action: string, durationMs?: number) =>
    cloud.owner.sendCommand({
      params: { id: device.deviceUuid },
      body: { componentId, action, ...(durationMs !== undefined && { args: { durationMs } }) },
    });
  const orderOn = async (durationMs: number) => (await order('on', durationMs)).commandId;
  const commandOf = async (commandId: string) => {
    const { items } = await cloud.owner.listCommands({ params: { id: device.deviceUuid } });
    return items.find((item) => item.commandId === commandId);
  };
  /**
   * By an order that the cloud signs; seen from outside of the line. A line is low before the order to that is done,
   * and who switches off wins over who switches on meanwhile: then it is ordered once more, as its owner would.
   */
  const switchOn = async (durationMs: number) => {
    let commandId = await orderOn(durationMs);
    const seen = chip.until(PUMP, 1, 60_000);
    let over = false;
    const end = () => {
      over = true;
    };
    seen.then(end, end);
    await eventually(
      'an order to switch on is not refused',
      async () => {
        const status = over ? undefined : (await commandOf(commandId))?.status;
        if (status === 'REJECTED' || status === 'STALE') commandId = await orderOn(durationMs);
        return over;
      },
      120_000,
    );
    await seen.catch(async (error: unknown) => {
      throw new Error(`${JSON.stringify(await commandOf(commandId))}\n${await device.journal()}`, {
        cause: error,
      });
    });
  };
  const switchOff = async () => {
    await order('off');
    await chip.until(PUMP, 0, 60_000);
  };
  /** The service starts its agent again late enough to be out of the way, and lacks what is dropped. */
  const serviceWithout = (drop: string) =>
    vm.sh(`
      mkdir -p /run/systemd/system/ares-agent.service.d
      printf '[Service]\\nRestartSec=60\\n${drop}\\n' >/run/systemd/system/ares-agent.service.d/lab.conf
      systemctl daemon-reload`);
  /** Starts the agent anew with these settings. */
  const start = async (settings: object, drop: string = without.nothing) => {
    await serviceWithout(drop);
    await vm.sh(`
      cat >/etc/ares-agent/config.json <<'END'
${JSON.stringify({ radioSocket: '/run/ares-agent-radio.sock', wifi: 'none', ...BRISK, ...settings })}
END
      systemctl reset-failed ares-agent || true
      systemctl restart ares-agent`);
    await isReady();
  };
  /** The agent is connected and drives the pump, which is off. */
  const isReady = async () => {
    await device.reaches('OPERATING');
    // Not what the cloud knows: it may still be of the life before.
    await eventually('the pump and the connection are there', async () => {
      const { session } = (await device.status()) as unknown as DeviceStatus;
      return session?.connection.state === 'connected' && session.components[0]?.status === 'OK';
    }).catch(async (error: unknown) => {
      throw new Error(`${JSON.stringify(await device.status())}\n${await device.journal()}`, {
        cause: error,
      });
    });
    await chip.until(PUMP, 0, 60_000);
  };
  /** What an adapter still has when its agent has ended; no other one can have it. */
  const letLinesGo = () =>
    vm.sh(`
      systemctl stop ares-agent
      for line in /run/ares-agent/lines/gpio*/; do
        [ ! -e "$line/line" ] || sh /run/ares-agent/lines/line-holder.sh "$line" release
      done
      for line in /sys/class/gpio/gpio[0-9]*; do
        [ ! -e "$line" ] || echo "\${line##*gpio}" >/sys/class/gpio/unexport
      done`);
  /** Runs the script while the pump is on; ms until it is off, as the guest's clock has it. */
  const offAfter = async (script: string, withinMs: number): Promise<number> => {
    await vm.sh(script);
    return await chip.until(PUMP, 0, withinMs);
  };
  const kill = 'kill -9 $(systemctl show -p MainPID --value ares-agent)';
  const killWithGuard = 'kill -9 $(systemctl show -p MainPID --value ares-agent) $(pgrep -f guard.sh)';

  beforeAll(async () => {
    cloud = await startBenchCloud({ home: join(home.path, 'cloud-home') });
    vm = await Vm.start(machine!, { ports: [cloud.devicePort, cloud.mqttPort] });
    chip = await makeGpioChip(vm);
    await chip.pull(PUMP, 'pull-up');
    await chip.pull(BUTTON, 'pull-up');
    await serviceWithout(without.execStopPost);
    device = await makeDevice(vm, cloud, { wifi: 'none', ...byCharacterDevice });
    await device.reaches('UNPROVISIONED');
    const phone = await connectPhone(vm);
    await pairVirtualPi({
      link: await phone.connect(),
      setupCode: device.setupCode,
      client: cloud.owner,
      wifi: undefined,
      components: [{ componentType: 'pump', pins: { line: PUMP } }],
      onEvent: () => undefined,
    });
    await device.reaches('OPERATING');
    const { items } = await cloud.owner.listComponents({ params: { id: device.deviceUuid } });
    componentId = items[0]!.componentId;
    await isReady();
  });
  afterAll(async () => {
    await vm?.stop();
    await cloud?.stop();
    home.remove();
  });

  describe('driven by the character device', () => {
    it('has a button that opens Bluetooth, and an LED that answers', async () => {
      await eventually('Bluetooth is closed', async () => (await device.status()).bluetooth === 'closed');
      await chip.pull(BUTTON, 'pull-down');
      await vm.sh('sleep 0.5');
      await chip.pull(BUTTON, 'pull-up');
      await chip.until(LED, 1, 30_000);
      await eventually('Bluetooth is open', async () => (await device.status()).bluetooth === 'open');
    });

    alwaysBecomesSafe(byCharacterDevice);

    it('CMD-07 is off when all processes of the service were killed at once', async () => {
      await start(byCharacterDevice);
      await switchOn(LONG_RUN_MS);
      await vm.sh('systemctl kill --kill-who=all -s KILL ares-agent; sleep 1');
      await chip.until(PUMP, 0, 30_000);
      expect(await chip.value(PUMP)).toBe(0);
    });

    it('is off when the service is stopped, and stays driven', async () => {
      await start(byCharacterDevice);
      await switchOn(LONG_RUN_MS);
      await vm.sh('systemctl stop ares-agent; sleep 3');
      expect(await chip.value(PUMP)).toBe(0);
    });
  });

  describe('driven by sysfs', () => {
    beforeAll(async () => {
      await letLinesGo();
      await start({ gpio: 'sysfs' }, without.execStopPost);
    });

    alwaysBecomesSafe({ gpio: 'sysfs' });
  });

  /** Begins with an agent whose service lacks ExecStopPost, and goes on with what the test before has left. */
  function alwaysBecomesSafe(settings: object): void {
    it('CMD-07 switches the pump by a signed order, and off again', async () => {
      await switchOn(LONG_RUN_MS);
      await switchOff();
    });

    it('CMD-11 switches it off when its lease ends', async () => {
      await switchOn(3_000);
      expect(await chip.until(PUMP, 0, 60_000)).toBeLessThan(3_000 + AT_ONCE_MS);
    });

    it('CMD-11 is off by the end of the lease when the agent hangs, and obeys again when it goes on', async () => {
      await switchOn(8_000);
      const off = await offAfter('systemctl kill --kill-who=main -s STOP ares-agent', 60_000);
      // It was the hanging one that it was switched off for.
      expect(off).toBeGreaterThan(0);
      expect(off).toBeLessThan(8_000 + AT_ONCE_MS);
      await vm.sh('systemctl kill --kill-who=main -s CONT ares-agent');
    });

    it('CMD-11 is off within a moment of a SIGKILL of the agent, by its guard', async () => {
      await switchOn(LONG_RUN_MS);
      expect(await offAfter(kill, 30_000)).toBeLessThan(AT_ONCE_MS);
    });

    it('stays on when guard and ExecStopPost are taken away: these tests can fail', async () => {
      await start(settings, without.execStopPost);
      await switchOn(LONG_RUN_MS);
      await vm.sh(`${killWithGuard}; sleep ${AT_ONCE_MS / 1_000 + 1}`);
      expect(await chip.value(PUMP)).toBe(1);
      // The next start of the agent finds it on.
      await start(settings);
    });

    it('CMD-07 is off within a moment of a SIGKILL of agent and guard, by systemd', async () => {
      await switchOn(LONG_RUN_MS);
      expect(await offAfter(killWithGuard, 30_000)).toBeLessThan(AT_ONCE_MS);
    });
  }

  it('is off before a reboot takes place, and after it', async () => {
    await letLinesGo();
    await start({ gpio: 'auto' });
    await switchOn(LONG_RUN_MS);
    await vm.sh(`
      systemd-run -q --unit=line-log -p DefaultDependencies=no sh -c \\
        'while sleep 0.1; do cat ${chip.folder}/sim_gpio${PUMP}/value >>/root/levels; sync /root/levels; done'
      sleep 2`);
    await vm.reboot();
    const levels = (await vm.sh('cat /root/levels')).replaceAll('\n', '');
    expect(levels).toMatch(/^1+0{3}/);
    chip = await makeGpioChip(vm);
    await chip.pull(PUMP, 'pull-up');
    await start({ gpio: 'auto' });
  });
});
