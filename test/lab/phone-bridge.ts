import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from '../support/repository.ts';
import { GUEST_SHARE, type Vm } from './vm.ts';

/** What stands for a phone's Bluetooth in the guest, on its second controller. */
export type Central = 'bluez' | 'noble';

/** Noble, and what it needs on Linux. */
const NOBLE = ['@stoprocent/noble', '@stoprocent/bluetooth-hci-socket', 'node-gyp-build', 'debug', 'ms'];

/** Switches the controllers on and starts the bridge between the serial port and one of the centrals. */
export async function startBridge(vm: Vm, central: Central): Promise<void> {
  await startControllers(vm);
  if (central === 'bluez') await startBluez(vm);
  else await startNoble(vm);
  await vm.sh(`
    for try in $(seq 300); do journalctl -u lab-phone -o cat | grep -q ^ready && exit 0; sleep 0.2; done
    journalctl -u lab-phone >&2; exit 1`);
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

/** The program of the phone that noble is, in one file. */
export async function nobleProgram(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'test/lab/phone/noble-central.ts')],
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    conditions: ['@ares/source'],
    external: ['@stoprocent/noble'],
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

async function startNoble(vm: Vm): Promise<void> {
  const folder = join(vm.share, 'noble');
  mkdirSync(folder);
  writeFileSync(join(folder, 'noble-central.mjs'), await nobleProgram());
  for (const name of NOBLE)
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), {
      recursive: true,
      filter: (path) => !/\/(?:node_modules|darwin|win32|android)[^/]*$/.test(path.slice(root.length + 14)),
    });
  await vm.sh(`
    cp -r ${GUEST_SHARE}/noble /opt/lab/noble
    systemd-run -q --unit=lab-phone -p Restart=always -p Environment=HOME=/root /opt/lab/node/bin/node /opt/lab/noble/noble-central.mjs`);
}
