import { join } from 'node:path';
import { command } from '../command.ts';
import type { Machine } from '../qemu.ts';
import { savedMachine, Vm } from '../vm.ts';
import type { Architecture } from './apt.ts';
import { type Layer, layer } from './layer.ts';

/** Layers are made again when this changes. */
const SAVED_AS = 'a disk above the one before, and a file of the memory';

/** The booted system, saved so that a VM takes seconds to start: `disk.qcow2` and `memory`. */
export async function bootedLayer(architecture: Architecture, image: Layer): Promise<Layer & Machine> {
  const fresh: Machine = { architecture, image: image.folder, disk: join(image.folder, 'root.img') };
  const built = await layer({
    name: `booted-${architecture}`,
    inputs: [image.key, await command('qemu-img', ['--version']), SAVED_AS],
    build: async (folder) => {
      await using vm = await Vm.start(fresh, { cold: true });
      const { status, stdout } = await vm.run('systemctl is-system-running --wait');
      if (status !== 0) {
        throw new Error(
          `the guest is ${stdout.trim()}\n${await vm.sh('systemctl --failed --no-legend; journalctl -b -p warning --no-pager')}`,
        );
      }
      await vm.saveTo(folder);
    },
  });
  return { ...built, ...savedMachine(fresh, built.folder) };
}
