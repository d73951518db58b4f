import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ProvisioningStep } from '@ares/protocol/ble';
import { connectDevice } from '@ares/protocol/ble';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { pairVirtualPi } from '../../../cloud/src/phone/simulated-phone.ts';
import { type BenchCloud, startBenchCloud } from '../../bench/bench-cloud.ts';
import { temporaryHome } from '../../support/ares-process.ts';
import { type LabDevice, makeDevice } from '../lab-device.ts';
import { connectPhone, type LabPhone } from '../phone.ts';
import { Vm } from '../vm.ts';

const home = temporaryHome();
let cloud: BenchCloud;
let vm: Vm;
let phone: LabPhone;
let device: LabDevice;

beforeAll(async () => {
  const machine = inject('labWithPhone');
  if (machine === null) throw new Error('this case needs the package');
  cloud = await startBenchCloud({ home: join(home.path, 'cloud-home') });
  vm = await Vm.start(machine, { ports: [cloud.devicePort, cloud.mqttPort] });
  phone = await connectPhone(vm);
  device = await makeDevice(vm, cloud, { wifi: 'none' });
  await device.reaches('UNPROVISIONED');
});
afterAll(async () => {
  phone?.close();
  await vm?.stop();
  await cloud?.stop();
  home.remove();
});

/** Pairs as an owner does, and says when a step runs. */
async function pair(onRunning: (step: ProvisioningStep) => void = () => {}): Promise<void> {
  await pairVirtualPi({
    link: await phone.connect(),
    setupCode: device.setupCode,
    client: cloud.owner,
    wifi: undefined,
    components: [{ componentType: 'cpu' }],
    onEvent: (event) => {
      if (event.event === 'step' && event.report.result === 'running') onRunning(event.report.step);
    },
  });
}

const keepsNoCredentials = async () =>
  expect(
    await vm.sh("grep -rlE 'BEGIN CERTIFICATE|sharedSecret' /var/lib/ares-agent | grep -v trust || true"),
  ).toBe('');

describe('a device whose pairing was disturbed can be claimed again', () => {
  it('BLE-02 after a wrong setup code', async () => {
    const link = await phone.connect();
    const random = (length: number) => randomBytes(length);
    const setupCode = '0000-0000-0000-0000-0000-0000-000';
    await expect(connectDevice({ link, setupCode, random })).rejects.toMatchObject({
      code: 'SETUP_CODE_REFUSED',
    });
    expect(await device.status()).toMatchObject({ state: 'UNPROVISIONED' });
  });

  it('BLE-11 after the phone went away, and after the radio was killed, in the middle of a session', async () => {
    for (const accident of ['', "kill -9 $(pgrep -f 'ares-agent.mjs child ble')"]) {
      const connection = await connectDevice({
        link: await phone.connect(),
        setupCode: device.setupCode,
        random: (length) => randomBytes(length),
      });
      await connection.identity();
      await vm.sh(accident);
      // Simulated controllers do not notice that the other one is silent; this phone has noticed.
      await connection.close();
    }
    const link = await phone.connect();
    expect((await link.readInfo()).length).toBe(18);
    await link.disconnect();
  });

  // What holds the device in a step, and what lets it go on.
  it.each([
    {
      step: 'address',
      hold: () => 'ip address del 10.0.2.15/24 dev eth0',
      release: 'ip address add 10.0.2.15/24 dev eth0',
    },
    {
      step: 'tls',
      // The cloud's ports lead to one where nobody listens.
      hold: () => `nft -f - <<'END'
        table ip cut {
          chain out {
            type nat hook output priority -150;
            ip daddr 127.0.0.1 tcp dport { ${cloud.devicePort}, ${cloud.mqttPort} } dnat to 127.0.0.1:9;
          }
        }
END`,
      release: 'nft delete table ip cut',
    },
  ])('BLE-11 after the agent was killed in the step $step', async ({ step, hold, release }) => {
    await vm.sh(hold());
    const seen = Promise.withResolvers<void>();
    const pairing = pair((running) => {
      if (running === step) seen.resolve();
    });
    pairing.catch(() => undefined);
    await Promise.race([seen.promise, pairing]);
    await vm.sh('systemctl kill --kill-who=main --signal=KILL ares-agent');
    await expect(pairing).rejects.toMatchObject({ code: 'LINK_LOST' });
    await vm.sh(release);
    await device.reaches('UNPROVISIONED');
    await keepsNoCredentials();
  });

  it('CLM-16 and one that was killed when it had asked the cloud goes on by itself to the end', async () => {
    const seen = Promise.withResolvers<void>();
    const pairing = pair((running) => {
      if (running === 'claim') seen.resolve();
    });
    pairing.catch(() => undefined);
    await Promise.race([seen.promise, pairing]);
    await vm.sh('systemctl kill --kill-who=main --signal=KILL ares-agent');
    await expect(pairing).rejects.toMatchObject({ code: 'LINK_LOST' });
    await device.reaches('OPERATING', 180_000);
    const { items } = await cloud.owner.listDevices();
    expect(items).toMatchObject([{ deviceUuid: device.deviceUuid, lifeCycle: 'ACTIVE' }]);
  });
});
