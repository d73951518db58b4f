import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRegistrationLine } from '@ares/protocol';
import type { BleLink } from '@ares/protocol/ble';
import type { Client } from '@ares/protocol/http';
import type { DeviceStatus } from '../../agent/src/lifecycle/status.ts';
import { pairVirtualPi } from '../../cloud/src/phone/simulated-phone.ts';
import { type BenchCloud, startBenchCloud } from '../bench/bench-cloud.ts';
import { eventually } from '../support/ares-process.ts';
import type { SeededRandom } from '../support/random.ts';
import { askAgentStatus } from './agent-status.ts';
import { type DataDisk, makeDataDisk } from './data-disk.ts';
import { queryOutbox } from './outbox.ts';
import { connectPhone, type LabPhone } from './phone.ts';
import type { Machine } from './qemu.ts';
import { GUEST_SHARE, savedMachine, Vm } from './vm.ts';

const STATE = '/var/lib/ares-agent';
/** What a guest under emulation on a busy machine may take to be somewhere. */
const PATIENCE_MS = 240_000;

/** A promise of the device: readings of this boot up to this number are on its disk. */
export interface Stored {
  readonly bootId: string;
  readonly seq: number;
}

/** An installed device whose state lies on a disk of its own, a cloud, and the plug. */
export interface PowerCutRig {
  readonly cloud: BenchCloud;
  /** While the power is on. */
  machine(): Vm;
  /** Starts the machine on the disk as the last cut left it, and the agent, without waiting for it. */
  powerOn(): Promise<void>;
  /** The plug is pulled; the disk keeps what was flushed and, on a shuffled one, some of the rest. */
  pullPlug(): Promise<void>;
  /** Waits until the device is in one of the states it may stay in. */
  settled(): Promise<string>;
  /** The line that the owner registers the device with. Makes the device trust the cloud on first use. */
  registrationLine(): Promise<string>;
  /** What makes the device this one and must be the same for ever, as digests of its files. */
  identity(): Promise<string>;
  /** Tells the cloud of the device by its line, and gives its UUID. */
  register(line: string): Promise<string>;
  /** Connects over the air to the device. @throws {BleError} LINK_LOST when it does not advertise */
  connect(withinMs?: number): Promise<BleLink>;
  /** A whole claim by phone, over the air. @param onEvent told of each step that the phone sees */
  pair(onEvent?: () => void, client?: Client): Promise<void>;
  /** Files of the state directory that hold credentials, or were set aside as damaged. */
  files(kind: 'credentials' | 'damaged'): Promise<string[]>;
  /** Cuts the way to the cloud. It is back after the next power-on. */
  dropNetwork(): Promise<void>;
  /** What the device promises at this moment. */
  stored(): Promise<Stored[]>;
  close(): Promise<void>;
}

export interface PowerCutSetup {
  /** Settings of the agent besides those of the rig. */
  readonly settings?: object;
  /** What is around the device when its power comes on: lines, other programs. */
  around?(vm: Vm): Promise<void>;
}

/** @param installed a machine with a phone, `labWithPhone` */
export async function makePowerCutRig(
  installed: Machine,
  random: SeededRandom,
  setup: PowerCutSetup = {},
): Promise<PowerCutRig> {
  const folder = mkdtempSync(join(tmpdir(), 'ares-power-'));
  const cloud = await startBenchCloud({ home: join(folder, 'cloud') });
  const disk = await makeDataDisk(folder);
  const ready = savedMachine(installed, folder);
  let vm: Vm | undefined;
  let phone: LabPhone | undefined;
  const close = async () => {
    phone?.close();
    await vm?.stop();
    await disk.close();
    await cloud.stop();
    if (process.env['ARES_KEEP'] === undefined) rmSync(folder, { recursive: true });
  };
  try {
    await prepare(installed, cloud, folder, setup.settings);
  } catch (error) {
    await close();
    throw error;
  }
  const on = () => {
    if (vm === undefined) throw new Error('the power is off');
    return vm;
  };
  const connect = (withinMs?: number) => {
    if (phone === undefined) throw new Error('the power is off');
    return phone.connect(withinMs);
  };
  let setupCode = '';
  const registrationLine = async () => {
    const made = await on().sh('ares-agent factory-init --trust /root/trust.json --json');
    const told = JSON.parse(made) as { registrationLine: string; setupCode: string };
    ({ setupCode } = told);
    return told.registrationLine;
  };
  const status = () => askAgentStatus(on());
  return {
    cloud,
    close,
    machine: on,
    connect,
    powerOn: async () => {
      vm = await Vm.start(ready, { ports: [cloud.devicePort, cloud.mqttPort] });
      phone = await connectPhone(vm);
      await setup.around?.(vm);
      await mountState(vm, disk);
      await vm.sh('systemctl start --no-block ares-agent');
    },
    pullPlug: async () => {
      phone?.close();
      const lost = await disk.pullPlug(on(), random.pick(['drop', 'shuffle'] as const), random);
      await on().stop();
      vm = undefined;
      await disk.check();
      console.log(`cut: ${lost} pages lost`);
    },
    settled: async () => {
      let last: unknown;
      const stays = ['UNPROVISIONED', 'OPERATING', 'WAITING_FOR_TRUST'];
      await eventually(
        'the device is claimable or provisioned',
        async () => {
          last = await status().catch(String);
          return stays.includes((last as DeviceStatus).state);
        },
        PATIENCE_MS,
      ).catch(async () => {
        const journal = await on().sh("journalctl -u 'ares-agent*' -o cat --no-pager | tail -40");
        throw new Error(`the device does not come to rest: ${JSON.stringify(last)}\n${journal}`);
      });
      return (last as DeviceStatus).state;
    },
    registrationLine,
    identity: () => on().sh(`cd ${STATE} && sha256sum identity.json identity-key.pem setup-code trust.json`),
    register: async (line) => {
      const parsed = parseRegistrationLine(line);
      if (!parsed.ok) throw new Error(`no registration line: ${line}`);
      await cloud.admin.preregister({ body: parsed.value });
      return parsed.value.deviceUuid;
    },
    pair: async (onEvent = () => {}, client = cloud.owner) => {
      // An owner may claim twenty times an hour; this one does it more often than people do.
      await cloud.database.query('delete from claim_attempts');
      await pairVirtualPi({
        link: await connect(PATIENCE_MS),
        setupCode,
        client,
        wifi: undefined,
        components: [{ componentType: 'cpu' }],
        onEvent,
      });
    },
    files: async (kind) => {
      const found =
        kind === 'damaged'
          ? await on().sh(`find ${STATE} -name '*damaged*'`)
          : await on().sh(`grep -rlE 'BEGIN CERTIFICATE|sharedSecret' ${STATE} | grep -v trust || true`);
      return found.split('\n').filter((line) => line !== '');
    },
    dropNetwork: async () => {
      await on().sh('ip link set eth0 down');
    },
    stored: async () => {
      const rows = await queryOutbox(on(), 'SELECT boot_id, next_seq - 1 FROM boots WHERE next_seq > 1');
      return (rows as [string, number][]).map(([bootId, seq]) => ({ bootId, seq }));
    },
  };
}

/** The machine with its agent stopped and its state gone. */
async function prepare(
  installed: Machine,
  cloud: BenchCloud,
  folder: string,
  settings: object | undefined,
): Promise<void> {
  await using vm = await Vm.start(installed);
  writeFileSync(join(vm.share, 'trust.json'), JSON.stringify(cloud.trust));
  const config = {
    radioSocket: '/run/ares-agent-radio.sock',
    wifi: 'none',
    sampleIntervalMs: 500,
    operating: { reconnectSpreadMs: 500, batchAfterMs: 1_000 },
    ...settings,
  };
  writeFileSync(join(vm.share, 'config.json'), JSON.stringify(config));
  await vm.sh(`
    systemctl stop ares-agent
    find ${STATE} -mindepth 1 -delete
    cp ${GUEST_SHARE}/trust.json /root/trust.json
    cp ${GUEST_SHARE}/config.json /etc/ares-agent/config.json`);
  await vm.saveTo(folder);
}

/** The state in a folder of the disk: a file system's own root has a folder of its own in it. */
async function mountState(vm: Vm, disk: DataDisk): Promise<void> {
  await disk.mount(vm, '/mnt/data');
  await vm.sh(`
    mkdir -p /mnt/data/state
    chown ares-agent:ares-agent /mnt/data/state
    chmod 0700 /mnt/data/state
    mount --bind /mnt/data/state ${STATE}`);
}
