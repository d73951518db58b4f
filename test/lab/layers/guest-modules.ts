import { join } from 'node:path';
import { command } from '../command.ts';
import type { KernelLayer } from './kernel.ts';

/** For the root file system, in the initramfs. */
export const ROOT_MODULES = ['virtio_blk', 'ext4'];

/** What the guest can load; all else of Debian's kernel stays out of the image. */
export const GUEST_MODULES = [
  ...ROOT_MODULES,
  ...['9p', '9pnet_virtio', 'virtio-rng', 'virtio_net', 'virtio_console', 'virtio_pci'],
  ...['hci_vhci', 'uhid', 'bnep', 'rfcomm', 'algif_hash', 'algif_skcipher', 'cmac', 'ecb'],
  ...['mac80211_hwsim', 'ccm', 'gcm', 'ctr', 'michael_mic', 'veth', 'dummy', 'tun'],
  ...[
    'nf_tables',
    'nft_ct',
    'nft_nat',
    'nft_masq',
    'nft_chain_nat',
    'nft_reject_inet',
    'nft_redir',
    'nft_limit',
  ],
  ...[
    'irq_sim',
    'gpio-sim',
    'dhtsim',
    'dht11_simulated',
    'industrialio',
    'loop',
    'fuse',
    'overlay',
    'configfs',
    'autofs4',
    'binfmt_misc',
  ],
];

/** Files of the modules and of those they need, from the layer's folder, in the order in which they load. */
export async function moduleFiles(kernel: KernelLayer, names: readonly string[]): Promise<string[]> {
  const files = new Set<string>();
  for (const name of names) {
    const shown = await command('modprobe', [
      '-d',
      kernel.folder,
      '-S',
      kernel.release,
      '--show-depends',
      name,
    ]);
    for (const match of shown.matchAll(/^insmod (\S+)/gm)) files.add(join('/', match[1] as string));
  }
  return [...files];
}
