import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { command } from '../command.ts';
import { moduleFiles, ROOT_MODULES } from './guest-modules.ts';
import type { KernelLayer } from './kernel.ts';

export const initScript = join(import.meta.dirname, '../guest/init.sh');

/** Writes `initrd.gz`: busybox of the guest's own system, six modules and one script. */
export async function buildInitramfs(options: {
  readonly kernel: KernelLayer;
  /** The guest's unpacked system. */
  readonly root: string;
  readonly folder: string;
}): Promise<void> {
  const tree = join(options.folder, 'initramfs');
  for (const name of ['bin', 'proc', 'sys', 'dev', 'root', 'modules'])
    mkdirSync(join(tree, name), { recursive: true });
  cpSync(join(options.root, 'bin/busybox'), join(tree, 'bin/busybox'));
  for (const name of ['sh', 'mount', 'umount', 'insmod', 'sleep', 'switch_root', '['])
    await command('ln', ['-s', 'busybox', join(tree, 'bin', name)]);
  const order: string[] = [];
  for (const file of await moduleFiles(options.kernel, ROOT_MODULES)) {
    const plain = basename(file).replace(/\.xz$/, '');
    await command('sh', [
      '-c',
      'case $1 in *.xz) xz -dc "$1" >"$2";; *) cp "$1" "$2";; esac',
      'sh',
      file,
      join(tree, 'modules', plain),
    ]);
    order.push(plain);
  }
  writeFileSync(join(tree, 'modules/order'), `${order.join('\n')}\n`);
  cpSync(initScript, join(tree, 'init'));
  await command('chmod', ['0755', join(tree, 'init')]);
  await command(
    'sh',
    ['-c', 'find . | LC_ALL=C sort | cpio --quiet -o -H newc --reproducible | gzip -n1 >../initrd.gz'],
    { cwd: tree },
  );
  rmSync(tree, { recursive: true });
}
