import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BleLink } from '@ares/protocol/ble';
import { build } from 'esbuild';
import { connectWithin } from '../../cloud/src/phone/simulated-phone.ts';
import { root } from '../support/repository.ts';
import { startPhoneRelay } from './phone-relay.ts';
import { GUEST_SHARE, type Vm } from './vm.ts';

/** What stands for a phone's Bluetooth in the guest, on its second controller. */
export type Central = 'bluez' | 'noble';

/** A phone on the host whose Bluetooth is the guest's. */
export interface LabPhone {
  /**
   * Connects to whatever device of Ares advertises, trying for eight seconds at a time.
   * @throws {BleError} LINK_LOST when there is none in time
   */
  connect(withinMs?: number): Promise<BleLink>;
  /** Where phones of other processes connect, once each. */
  readonly socketPath: string;
  close(): void;
}

const FIND_WITHIN_MS = 90_000;
/** Noble, and what it needs on Linux. */
const NOBLE = ['@stoprocent/noble', '@stoprocent/bluetooth-hci-socket', 'node-gyp-build', 'debug', 'ms'];

/** Switches the controllers on and starts the bridge between the serial port and one of the centrals. */
export async function startPhone(vm: Vm, central: Central): Promise<LabPhone> {
  await startControllers(vm);
  if (central === 'bluez') await startBluez(vm);
  else await startNoble(vm);
  await vm.sh(`
    for try in $(seq 300); do journalctl -u lab-phone -o cat | grep -q ^ready && exit 0; sleep 0.2; done
    journalctl -u lab-phone >&2; exit 1`);
  return await connectPhone(vm);
}

/** The phone of a machine whose bridge runs already, as in one that was saved with it. */
export async function connectPhone(vm: Vm): Promise<LabPhone> {
  const relay = await startPhoneRelay(vm.phoneSocket, join(vm.share, 'phone.sock'));
  return {
    connect: (withinMs = FIND_WITHIN_MS) =>
      connectWithin(relay.socketPath, withinMs).catch(async (error: Error) => {
        error.message += `\n${await vm.sh("journalctl -u lab-phone -u 'ares-agent*' -o cat | tail -40")}`;
        throw error;
      }),
    socketPath: relay.socketPath,
    close: () => relay.close(),
  };
}

/** Two controllers, down, as a board has them at its start. */
export async function startControllers(vm: Vm): Promise<void> {
  await vm.sh(`
    systemctl start lab-bluetooth
    for try in $(seq 100); do [ -e /sys/class/bluetooth/hci1 ] && exit 0; sleep 0.1; done; exit 1`);
}

async function startBluez(vm: Vm): Promise<void> {
  await vm.copyIn(join(root, 'test/lab/phone/bluez-central.py'), '/opt/lab/bluez-central.py');
  // What BlueZ remembers of a device is in the way of its next connection.
  await vm.sh(`
    printf '[General]\\n[GATT]\\nCache = no\\n[Policy]\\nAutoEnable=true\\n' >/etc/bluetooth/main.conf
    systemctl restart bluetooth
    for try in $(seq 100); do hciconfig hci1 | grep -q UP && break; sleep 0.1; done
    systemd-run -q --unit=lab-phone -p Restart=always python3 /opt/lab/bluez-central.py`);
}

async function startNoble(vm: Vm): Promise<void> {
  const folder = join(vm.share, 'noble');
  mkdirSync(folder);
  await build({
    entryPoints: [join(root, 'test/lab/phone/noble-central.ts')],
    outfile: join(folder, 'noble-central.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    conditions: ['@ares/source'],
    external: ['@stoprocent/noble'],
    logLevel: 'silent',
  });
  for (const name of NOBLE)
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), {
      recursive: true,
      filter: (path) => !/\/(?:node_modules|darwin|win32|android)[^/]*$/.test(path.slice(root.length + 14)),
    });
  await vm.sh(`
    cp -r ${GUEST_SHARE}/noble /opt/lab/noble
    systemd-run -q --unit=lab-phone -p Restart=always -p Environment=HOME=/root /opt/lab/node/bin/node /opt/lab/noble/noble-central.mjs`);
}
