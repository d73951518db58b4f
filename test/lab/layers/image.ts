import {
  cpSync,
  globSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { nodePackage } from '../../../deploy/agent-package/runtime.ts';
import { root as repository } from '../../support/repository.ts';
import { command } from '../command.ts';
import type { Apt } from './apt.ts';
import { GUEST_MODULES, moduleFiles } from './guest-modules.ts';
import { buildInitramfs, initScript } from './initramfs.ts';
import type { KernelLayer } from './kernel.ts';
import { type Layer, layer } from './layer.ts';

const guestFiles = join(import.meta.dirname, '../guest/root');

/** Services that Debian starts by itself. A case that needs one starts it: the others boot faster and quieter. */
const STOPPED = [
  'bluetooth',
  'NetworkManager',
  'NetworkManager-wait-online',
  'wpa_supplicant',
  'hostapd',
  'nftables',
  'dnsmasq',
];
/** Of no use here: they would work in the background of a machine that lives for seconds. */
const MASKED = [
  ...[
    'apt-daily.timer',
    'apt-daily-upgrade.timer',
    'dpkg-db-backup.timer',
    'e2scrub_all.timer',
    'e2scrub_reap.service',
  ],
  ...[
    'fstrim.timer',
    'getty@tty1.service',
    'serial-getty@ttyS0.service',
    'serial-getty@ttyAMA0.service',
    'systemd-networkd-wait-online.service',
  ],
];

const STARTED = ['lab-agent', 'lab-board', 'lab-bluetooth', 'lab-network'];

/** `root.img`, `vmlinuz`, `initrd.gz`: Debian with the lab's own files, not booted yet. */
export async function imageLayer(parts: {
  readonly apt: Apt;
  readonly rootfs: Layer;
  readonly kernel: KernelLayer;
  readonly bluetooth: Layer;
}): Promise<Layer> {
  const { apt, rootfs, kernel, bluetooth } = parts;
  const node = nodePackage(apt.architecture);
  const own = globSync(join(guestFiles, '**/*'))
    .filter((file) => lstatSync(file).isFile())
    .toSorted();
  return await layer({
    name: `image-${apt.architecture}`,
    inputs: [
      ...[rootfs.key, kernel.key, bluetooth.key],
      readFileSync(join(node, 'package.json'), 'utf8'),
      ...[...own, initScript, import.meta.filename].flatMap((file) => [
        relative(repository, file),
        readFileSync(file, 'utf8'),
      ]),
      ...GUEST_MODULES,
    ],
    build: async (folder) => {
      const root = join(folder, 'root');
      mkdirSync(root);
      await command('tar', ['-C', root, '-xpf', join(rootfs.folder, 'rootfs.tar'), '--numeric-owner']);
      await installModules(kernel, root);
      cpSync(guestFiles, root, { recursive: true });
      await command('chown', ['-R', 'root:root', join(root, 'opt/lab')]);
      await command('install', ['-D', '-t', join(root, 'opt/lab/bin'), join(bluetooth.folder, 'btvirt')]);
      await command('install', ['-D', '-t', join(root, 'opt/lab/node/bin'), join(node, 'bin/node')]);
      setUpServices(root);
      writeFileSync(join(root, 'etc/fstab'), '/dev/vda / ext4 defaults 0 0\n');
      writeFileSync(join(root, 'etc/hostname'), 'raspberrypi\n');
      writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost raspberrypi\n::1 localhost\n');
      writeFileSync(join(root, 'etc/modules-load.d/lab.conf'), '9p\n9pnet_virtio\nvirtio_net\ngpio-sim\n');
      await buildInitramfs({ kernel, root, folder });
      const [vmlinuz] = globSync(join(kernel.folder, 'boot/vmlinuz-*'));
      cpSync(vmlinuz as string, join(folder, 'vmlinuz'));
      await command('mke2fs', [
        '-q',
        ...['-t', 'ext4', '-L', 'lab', '-m', '0', '-U', 'a5e5a5e5-0000-4000-8000-000000000001'],
        ...['-E', 'hash_seed=a5e5a5e5-0000-4000-8000-000000000002,lazy_itable_init=0,root_owner=0:0'],
        ...['-d', root, join(folder, 'root.img'), '3G'],
      ]);
      rmSync(root, { recursive: true });
    },
  });
}

async function installModules(kernel: KernelLayer, root: string): Promise<void> {
  const files = await moduleFiles(kernel, GUEST_MODULES);
  const home = join(root, 'lib/modules', kernel.release);
  for (const file of files) {
    const inside = file.slice(file.indexOf(kernel.release) + kernel.release.length + 1);
    await command('install', ['-D', '-m', '644', file, join(home, inside)]);
  }
  // Unpacked here: the emulated processor would take its time for it at each load.
  await command('sh', ['-c', 'find . -name "*.ko.xz" -exec xz -d {} +'], { cwd: home });
  for (const name of globSync(
    join(kernel.folder, 'lib/modules', kernel.release, 'modules.{builtin,builtin.modinfo,order}'),
  ))
    cpSync(name, join(home, basename(name)));
  await command('depmod', ['-b', root, kernel.release]);
}

function setUpServices(root: string): void {
  const units = join(root, 'etc/systemd/system');
  for (const name of STOPPED) {
    for (const link of globSync(join(units, `*/${name}.service`))) rmSync(link);
  }
  // Otherwise a question on the bus would start bluetoothd through its other name.
  rmSync(join(units, 'dbus-org.bluez.service'), { force: true });
  for (const name of MASKED) {
    rmSync(join(units, name), { force: true });
    symlinkSync('/dev/null', join(units, name));
  }
  const wanted = join(units, 'multi-user.target.wants');
  mkdirSync(wanted, { recursive: true });
  for (const name of STARTED) symlinkSync(`../${name}.service`, join(wanted, `${name}.service`));
}
