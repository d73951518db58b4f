import type { Vm } from './vm.ts';

/**
 * Makes the guest look like a Raspberry Pi where a PC can: `/proc/cpuinfo` gets the two lines that the Pi's own
 * kernel adds. (A PC has no device tree, and no folder in sysfs where a file could be put.)
 */
export async function pretendRaspberryPi(
  vm: Vm,
  board: { readonly model?: string; readonly serial?: string } = {},
): Promise<void> {
  const { model = 'Raspberry Pi 4 Model B Rev 1.4', serial = '10000000a5e5a5e5' } = board;
  await vm.sh(`
    umount /proc/cpuinfo 2>/dev/null || true
    { cat /proc/cpuinfo; printf 'Serial\\t\\t: ${serial}\\nModel\\t\\t: ${model}\\n'; } >/run/lab/cpuinfo
    mount --bind /run/lab/cpuinfo /proc/cpuinfo`);
}
