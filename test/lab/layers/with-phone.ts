import { readText } from '../../support/repository.ts';
import { nobleProgram, startBridge } from '../phone-bridge.ts';
import type { Machine } from '../qemu.ts';
import { savedMachine, Vm } from '../vm.ts';
import { type Layer, layer } from './layer.ts';

/** The machine with the package, and a phone (noble) that listens on its second controller: `disk.qcow2` and `memory`. */
export async function withPhoneLayer(installed: Layer & Machine): Promise<Layer & Machine> {
  const { architecture } = installed;
  const built = await layer({
    name: `with-phone-${architecture}`,
    inputs: [
      installed.key,
      await nobleProgram(),
      ...['test/lab/phone-bridge.ts', 'package-lock.json'].map((file) => readText(file)),
    ],
    build: async (folder) => {
      await using vm = await Vm.start(installed);
      await startBridge(vm, 'noble');
      await vm.saveTo(folder);
    },
  });
  return { ...built, ...savedMachine(installed, built.folder) };
}
