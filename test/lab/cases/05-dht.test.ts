import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { becomeBoard, raspberryPi5 } from '../board.ts';
import { type ClaimedDevice, startClaimedDevice } from '../claimed-device.ts';
import { until } from '../until.ts';
import { Vm } from '../vm.ts';

const machine = inject('labInstalled');

/** The kernel's driver with a simulated sensor; see guest-kernel/dhtsim.c. */
const faults = { none: 0, checksum: 1, silent: 2, zeros: 4 };

describe.skipIf(machine === null)("a DHT22 by the kernel's own driver", () => {
  let vm: Vm;
  let device: ClaimedDevice;

  const sensor = (parameter: 'temp10' | 'hum10' | 'fault', value: number) =>
    vm.sh(`echo ${value} >/sys/module/dhtsim/parameters/${parameter}`);
  const component = async () => {
    const { session } = await device.status();
    return session?.components.find(({ componentType }) => componentType === 'dht22');
  };
  const temperatures = () => device.readings('temperature');
  /** What the component says once it fails, and its reason has to do with this. */
  const complaint = async (about: RegExp): Promise<string> => {
    const failed = await until(async () => {
      const now = await component();
      return now?.status === 'ERROR' && about.test(now.reason ?? '') ? now : undefined;
    });
    return failed.reason ?? '';
  };
  const framesSent = async () => Number(await vm.sh('cat /sys/module/dhtsim/parameters/sent'));

  beforeAll(async () => {
    vm = await Vm.start(machine!);
    await vm.sh('modprobe dht11_simulated');
    device = await startClaimedDevice(
      vm,
      [{ componentId: 1, componentType: 'dht22', pins: { data: 4 }, config: {} }],
      { sampleIntervalMs: 1_000, operating: { batchAfterMs: 500 } },
    );
  });

  afterAll(() => vm?.stop());

  it('gives the agent what the sensor measures', async () => {
    await until(async () => ((await temperatures()).length >= 2 ? true : undefined));
    expect(await temperatures()).toContainEqual({ value: 21.5, suspect: false });
    expect(await device.readings('humidity')).toContainEqual({ value: 60.3, suspect: false });
    expect(await component()).toMatchObject({ status: 'OK' });
  });

  it('is below zero when the sensor is, and that jump is marked once', async () => {
    await sensor('temp10', -105);
    const cold = await until(async () => {
      const values = (await temperatures()).filter(({ value }) => value < 0);
      return values.length >= 2 ? values : undefined;
    });
    expect(cold.slice(0, 2)).toEqual([
      { value: -10.5, suspect: true },
      { value: -10.5, suspect: false },
    ]);
  });

  it.each([
    ['checksum', /3 attempts: the kernel could not decode the answer/],
    ['silent', /3 attempts: the sensor sent nothing, or not all of it/],
    // Its checksum fits: the kernel hands it on as 0 degrees at 0 percent.
    ['zeros', /3 attempts: the line stays low/],
  ] as const)(
    'that is wrong (%s) is the component’s ERROR and no reading, until it is right',
    async (fault, why) => {
      await sensor('fault', faults[fault]);
      await complaint(why);
      // What it would measure now is in the bad frames, too: a value that is nowhere else.
      await sensor('temp10', 333);
      const enough = (await framesSent()) + 3;
      await until(async () => ((await framesSent()) >= enough ? true : undefined));
      expect(await component()).toMatchObject({ status: 'ERROR' });
      const before = (await temperatures()).length;
      await sensor('temp10', -105);
      await sensor('fault', faults.none);
      await until(async () => ((await component())?.status === 'OK' ? true : undefined));
      await until(async () => ((await temperatures()).length > before + 1 ? true : undefined));
      const values = new Set((await temperatures()).map(({ value }) => value));
      expect([...values]).toEqual([21.5, -10.5]);
    },
  );

  it('that the kernel does not drive is refused with what to do, on a Pi 4 and on a Pi 5', async () => {
    await vm.sh('modprobe -r dht11_simulated && ! ls -d /sys/bus/iio/devices/iio:device* 2>/dev/null');
    await vm.sh('systemctl restart ares-agent');
    // node-dht-sensor is there, but not the registers that it wants.
    expect(await complaint(/node-dht-sensor/)).toMatch(/may this user open \/dev\/gpiomem/);
    await becomeBoard(vm, raspberryPi5);
    await vm.sh('systemctl restart ares-agent');
    expect(await complaint(/dtoverlay/)).toMatch(/dtoverlay=dht11,gpiopin=4 to config.txt/);
  });
});
