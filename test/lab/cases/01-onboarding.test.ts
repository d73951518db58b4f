import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { connectDevice } from '@ares/protocol/ble';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { pairVirtualPi } from '../../../cloud/src/phone/simulated-phone.ts';
import { type BenchCloud, startBenchCloud } from '../../bench/bench-cloud.ts';
import { eventually, temporaryHome } from '../../support/ares-process.ts';
import { makeDevice } from '../lab-device.ts';
import { connectPhone, startPhone } from '../phone.ts';
import { Vm } from '../vm.ts';

const home = temporaryHome();
let cloud: BenchCloud;
let vm: Vm | undefined;

beforeAll(async () => {
  cloud = await startBenchCloud({ home: join(home.path, 'cloud-home') });
});
afterEach(async () => {
  await vm?.stop();
  vm = undefined;
});
afterAll(async () => {
  await cloud?.stop();
  home.remove();
});

describe.each(['bluez', 'noble'] as const)('a phone with %s and an installed device', (central) => {
  it('BLE-01 pairs over the air with the code of the label only, claims, and reports; then the radio is off', async () => {
    const machine = inject(central === 'noble' ? 'labWithPhone' : 'labInstalled');
    if (machine === null) throw new Error('this case needs the package');
    vm = await Vm.start(machine, { ports: [cloud.devicePort, cloud.mqttPort] });
    const phone = await (central === 'noble' ? connectPhone(vm) : startPhone(vm, central));
    const device = await makeDevice(vm, cloud, { wifi: 'none' });
    await device.reaches('UNPROVISIONED');

    await expect(
      connectDevice({
        link: await phone.connect(),
        setupCode: '0000-0000-0000-0000-0000-0000-000',
        random: (length) => randomBytes(length),
      }),
    ).rejects.toMatchObject({ code: 'SETUP_CODE_REFUSED' });

    const steps: string[] = [];
    const deviceUuid = await pairVirtualPi({
      link: await phone.connect(),
      setupCode: device.setupCode,
      client: cloud.owner,
      wifi: undefined,
      components: [{ componentType: 'cpu' }],
      onEvent: (event) => {
        if (event.event === 'step') steps.push(`${event.report.step} ${event.report.result}`);
      },
    });
    expect(deviceUuid).toBe(device.deviceUuid);
    expect(steps.filter((step) => step.endsWith(' ok'))).toHaveLength(8);
    await device.reaches('OPERATING');
    await eventually('the cloud sees it online', async () => {
      const { items } = await cloud.owner.listDevices();
      return items.some((item) => item.deviceUuid === deviceUuid && item.presence === 'ONLINE');
    });

    const guest = vm;
    await eventually(
      'the radio has ended',
      async () => (await guest.sh('pgrep -fc "child ble" || true')).trim() === '0',
    );
    await expect(phone.connect(0)).rejects.toMatchObject({ code: 'LINK_LOST' });
    phone.close();
  });
});
