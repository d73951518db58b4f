import { join } from 'node:path';
import type { WifiSettings } from '@ares/protocol/ble';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { PairingError } from '../../../cloud/src/phone/pair.ts';
import { pairVirtualPi } from '../../../cloud/src/phone/simulated-phone.ts';
import { type BenchCloud, startBenchCloud } from '../../bench/bench-cloud.ts';
import { eventually, temporaryHome } from '../../support/ares-process.ts';
import { type LabDevice, makeDevice } from '../lab-device.ts';
import { type LabPhone, startPhone } from '../phone.ts';
import { Vm } from '../vm.ts';
import { currentNetwork, profiles, startAir } from '../wifi-air.ts';

const GREENHOUSE = { ssid: 'green "house" $(id)', password: 'canary \\ tomatoes "7" ' };
const SHED = { ssid: 'shed', password: 'canary-spade-and-rake' };
const ISLAND = { ssid: 'island', password: 'canary-nobody-here' };
const VISITORS = { ssid: 'visitors' };

const home = temporaryHome();
let cloud: BenchCloud;
let vm: Vm;
let phone: LabPhone;
let device: LabDevice;

beforeAll(async () => {
  const machine = inject('labInstalled');
  if (machine === null) throw new Error('this case needs the package');
  cloud = await startBenchCloud({ home: join(home.path, 'cloud-home') });
  vm = await Vm.start(machine, { ports: [cloud.devicePort, cloud.mqttPort] });
  await startAir(vm, [
    { ...GREENHOUSE, cloud: true },
    { ...SHED, cloud: true },
    { ...ISLAND, cloud: false },
    { ...VISITORS, cloud: true, addresses: false },
  ]);
  // Everything that stands in arguments and environments from now on, for all to read.
  await vm.sh(`
    systemd-run -q --unit=lab-eyes sh -c 'while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; sleep 0.3; done 2>/dev/null | grep -ao --line-buffered "c[a]nary[^[:cntrl:]]*" >/run/lab-eyes'`);
  phone = await startPhone(vm, 'bluez');
  device = await makeDevice(vm, cloud);
  await device.reaches('UNPROVISIONED');
});
afterAll(async () => {
  await vm?.stop();
  await cloud?.stop();
  home.remove();
});

async function pair(wifi: WifiSettings): Promise<readonly string[]> {
  const steps: string[] = [];
  await pairVirtualPi({
    link: await phone.connect(),
    setupCode: device.setupCode,
    client: cloud.owner,
    wifi,
    components: [{ componentType: 'cpu' }],
    onEvent: (event) => {
      if (event.event === 'step') steps.push(`${event.report.step} ${event.report.result}`);
    },
  });
  return steps;
}

const change = (wifi: WifiSettings, wait = 120) =>
  cloud.owner.changeWifi({
    params: { id: device.deviceUuid },
    query: { wait },
    body: { ...wifi, ttlSeconds: 120 },
  });
const online = () =>
  eventually(
    'the cloud sees it online',
    async () => (await cloud.owner.listDevices()).items.some(({ presence }) => presence === 'ONLINE'),
    120_000,
  );
const commandIs = (status: string) =>
  eventually(
    `the last command is ${status}`,
    async () => {
      const { items } = await cloud.owner.listCommands({ params: { id: device.deviceUuid } });
      return items[0]?.status === status;
    },
    120_000,
  );

describe('a device without a cable', () => {
  it('hears the networks around it, whatever they are called', async () => {
    const { connectDevice } = await import('@ares/protocol/ble');
    const { randomBytes } = await import('node:crypto');
    const session = await connectDevice({
      link: await phone.connect(),
      setupCode: device.setupCode,
      random: (length) => randomBytes(length),
    });
    const { networks } = await session.wifiScan();
    await session.close();
    const seen = Object.fromEntries(networks.map(({ ssid, security }) => [ssid, security]));
    expect(seen).toMatchObject({ [GREENHOUSE.ssid]: 'wpa', [SHED.ssid]: 'wpa', [VISITORS.ssid]: 'open' });
  });

  it.each([
    ['the passphrase is wrong', { ...GREENHOUSE, password: 'canary-of-another' }, 'WIFI_WRONG_PASSWORD'],
    ['the network is not there', { ssid: 'nowhere', password: 'canary-whatever' }, 'WIFI_NOT_FOUND'],
    ['the network gives no address', VISITORS, 'ADDRESS_TIMEOUT'],
  ])('BLE-11 is claimable again when %s', async (_, wifi, code) => {
    const error: unknown = await pair(wifi).catch((cause: unknown) => cause);
    if (!(error instanceof PairingError)) throw error;
    expect(error.report).toMatchObject({ result: 'failed', code });
    await device.reaches('UNPROVISIONED');
    expect(await profiles(vm)).toEqual([]);
    expect(await currentNetwork(vm)).toBeUndefined();
  });

  it('BLE-10 joins a network whose name and passphrase would be commands elsewhere, and works over it', async () => {
    expect((await pair(GREENHOUSE)).filter((step) => step.endsWith(' ok'))).toHaveLength(8);
    await device.reaches('OPERATING');
    expect(await currentNetwork(vm)).toBe(GREENHOUSE.ssid);
    expect(await profiles(vm)).toHaveLength(1);
    await online();
  });

  it('is moved to another network by command, and is there after a start of NetworkManager', async () => {
    expect(await change(SHED)).toMatchObject({ status: 'COMPLETED' });
    expect(await currentNetwork(vm)).toBe('shed');
    expect(await profiles(vm)).toHaveLength(1);
    await vm.sh('systemctl restart NetworkManager');
    await eventually('it is back', async () => (await currentNetwork(vm)) === 'shed', 60_000);
    await online();
  });

  it.each([
    ['the cloud is not reached over it', ISLAND, 'CLOUD_UNREACHABLE'],
    ['it refuses the passphrase', { ...GREENHOUSE, password: 'canary-of-another' }, 'WIFI_WRONG_PASSWORD'],
  ])('BLE-11 goes back to its network when it is sent to one and %s', async (_, wifi, code) => {
    const sent = await change(wifi);
    if (!('status' in sent)) await commandIs('FAILED');
    const { items } = await cloud.owner.listCommands({ params: { id: device.deviceUuid } });
    expect(items[0]).toMatchObject({ status: 'FAILED', code });
    expect(await currentNetwork(vm)).toBe('shed');
    expect(await profiles(vm)).toHaveLength(1);
    await online();
  });

  it('BLE-11 killed while it tries a network, it is back on its own and does not try again', async () => {
    await change(ISLAND, 0);
    await eventually('it tries', async () => (await currentNetwork(vm)) === 'island', 60_000);
    await vm.sh('systemctl kill --signal=KILL ares-agent');
    await eventually('it is back', async () => (await currentNetwork(vm)) === 'shed', 120_000);
    await commandIs('UNKNOWN');
    expect(await profiles(vm)).toHaveLength(1);
    await online();
  });

  it('BLE-11 dead while it tries a network, it is brought back by NetworkManager', async () => {
    await change(ISLAND, 0);
    await eventually('it tries', async () => (await currentNetwork(vm)) === 'island', 60_000);
    await vm.sh(
      'systemctl mask --runtime --quiet ares-agent; systemctl kill --signal=KILL ares-agent; systemctl stop ares-agent',
    );
    const nm = 'org.freedesktop.NetworkManager';
    const at = '/org/freedesktop/NetworkManager';
    const checkpoint = (await vm.sh(`busctl get-property ${nm} ${at} ${nm} Checkpoints`)).split('"')[1]!;
    const limit = await vm.sh(`busctl get-property ${nm} ${checkpoint} ${nm}.Checkpoint RollbackTimeout`);
    expect(Number(limit.split(' ')[1])).toBeLessThanOrEqual(300);
    // The same limit, sooner: nothing else ends the trial now.
    await vm.sh(`busctl call ${nm} ${at} ${nm} CheckpointAdjustRollbackTimeout ou ${checkpoint} 3`);
    await eventually('it is back', async () => (await currentNetwork(vm)) === 'shed', 60_000);
    expect(await profiles(vm)).toHaveLength(1);
    await vm.sh('systemctl unmask --runtime --quiet ares-agent; systemctl start ares-agent');
    await commandIs('UNKNOWN');
    await online();
  });

  it('forgets its network when it is given away', async () => {
    await cloud.owner.unlink({ params: { id: device.deviceUuid } });
    await device.reaches('UNPROVISIONED');
    await eventually('no profile is left', async () => (await profiles(vm)).length === 0);
    expect(await vm.sh('grep -rl canary /etc/NetworkManager /run/NetworkManager || true')).toBe('');
  });

  it('SEC-02 has shown no passphrase in arguments, environments, logs and its own files', async () => {
    expect(await vm.sh('systemctl stop lab-eyes; cat /run/lab-eyes')).toBe('');
    expect(await vm.sh('journalctl -o cat --no-pager | grep -a canary || true')).toBe('');
    expect(await vm.sh('grep -rl canary /var/lib/ares-agent /run/ares-agent || true')).toBe('');
  });
});
