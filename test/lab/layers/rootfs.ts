import { join } from 'node:path';
import { command } from '../command.ts';
import type { Apt } from './apt.ts';
import { whileRunnable } from './foreign.ts';
import { type Layer, layer } from './layer.ts';

/** What a Raspberry Pi OS Lite has of this and the product or its cases touch, and the tools of the cases. */
const PACKAGES = [
  'bluez',
  'bluez-test-tools',
  'busybox-static',
  'ca-certificates',
  'curl',
  'dbus',
  'dnsmasq-base',
  'gpiod',
  'hostapd',
  'iproute2',
  'iputils-ping',
  'iw',
  'kmod',
  'libgpiod2',
  'libstdc++6',
  'network-manager',
  'nftables',
  'polkitd',
  'procps',
  'python3-bleak',
  'python3-minimal',
  'rfkill',
  'strace',
  'systemd',
  'systemd-sysv',
  'udev',
  'util-linux',
  'wpasupplicant',
];

/** `rootfs.tar`: a plain Debian system, nothing of ours in it. */
export async function rootfsLayer(apt: Apt): Promise<Layer> {
  const closure = await apt.closure(['apt', ...PACKAGES]);
  return await layer({
    name: `rootfs-${apt.architecture}`,
    inputs: [apt.suite, ...PACKAGES, ...closure],
    build: (folder) =>
      whileRunnable(apt.architecture, async () => {
        await command(
          'mmdebstrap',
          [
            '--variant=minbase',
            `--architectures=${apt.architecture}`,
            `--include=${PACKAGES.join(',')}`,
            '--dpkgopt=path-exclude=/usr/share/doc/*',
            '--dpkgopt=path-exclude=/usr/share/man/*',
            '--dpkgopt=path-exclude=/usr/share/locale/*',
            apt.suite,
            join(folder, 'rootfs.tar'),
            apt.sources,
          ],
          // The time in the files does not depend on when the layer was made.
          { env: { SOURCE_DATE_EPOCH: '1700000000' } },
        );
      }),
  });
}
