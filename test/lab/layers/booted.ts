import { join } from 'node:path';
import { command } from '../command.ts';
import type { Machine } from '../qemu.ts';
import { Vm } from '../vm.ts';
import type { Architecture } from './apt.ts';
import { type Layer, layer } from './layer.ts';

/** The booted system as a snapshot, so that a VM takes seconds to start: `disk.qcow2`. */
export async function bootedLayer(architecture: Architecture, image: Layer): Promise<Layer & Machine> {
  const machine = (folder: string): Machine => ({
    architecture,
    image: image.folder,
    disk: join(folder, 'disk.qcow2'),
  });
  const built = await layer({
    name: `booted-${architecture}`,
    inputs: [image.key, await command('qemu-img', ['--version'])],
    build: async (folder) => {
      const { disk } = machine(folder);
      await command('qemu-img', [
        'create',
        '-q',
        '-f',
        'qcow2',
        '-b',
        join(image.folder, 'root.img'),
        '-F',
        'raw',
        disk,
      ]);
      await using vm = await Vm.start(machine(folder), { cold: true });
      const { status, stdout } = await vm.run('systemctl is-system-running --wait');
      if (status !== 0) {
        throw new Error(
          `the guest is ${stdout.trim()}\n${await vm.sh('systemctl --failed --no-legend; journalctl -b -p warning --no-pager')}`,
        );
      }
      await vm.saveTo(disk);
    },
  });
  return { ...built, ...machine(built.folder) };
}
