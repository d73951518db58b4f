import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from '../support/random.ts';
import { command } from './command.ts';
import { serveNbd } from './nbd-server.ts';
import type { Vm } from './vm.ts';
import { openVolatileDisk } from './volatile-disk.ts';

const MEGABYTES = 48;

/** A disk of its own for a folder of the guest, that loses what was not flushed when the plug is pulled. */
export interface DataDisk {
  /** Attaches the disk to a machine and mounts it. Needed again after each start. */
  mount(vm: Vm, folder: string): Promise<void>;
  /** Ends the machine as by a power cut. @returns how many written pages were lost */
  pullPlug(vm: Vm, mode: 'drop' | 'shuffle', random: SeededRandom): Promise<number>;
  /** What e2fsck says of the file system as the last cut left it, its journal replayed. @throws when it is damaged */
  check(): Promise<string>;
  close(): Promise<void>;
}

/** Makes the disk with an empty ext4 on it. @param folder of the host, for the socket and copies */
export async function makeDataDisk(folder: string): Promise<DataDisk> {
  const image = join(folder, 'data.img');
  writeFileSync(image, '');
  await command('mke2fs', [
    '-q',
    '-t',
    'ext4',
    '-m',
    '0',
    '-E',
    'lazy_itable_init=0',
    image,
    `${MEGABYTES}M`,
  ]);
  const disk = openVolatileDisk(image);
  const socket = join(folder, 'data.sock');
  const server = await serveNbd(disk, socket);
  return {
    mount: async (vm, at) => {
      await vm.attachDisk(socket);
      await vm.sh(`mkdir -p ${at} && mount /dev/vdb ${at}`);
    },
    pullPlug: async (vm, mode, random) => {
      await vm.kill();
      return disk.cut(mode, random);
    },
    check: async () => {
      disk.save(image);
      // Replaying the journal is what a mount does too; after that there must be nothing to repair.
      await command('sh', ['-c', 'e2fsck -p "$1" || [ $? -eq 1 ]', 'sh', image]);
      return await command('e2fsck', ['-fn', image]);
    },
    close: async () => {
      await server.close();
      rmSync(image, { force: true });
    },
  };
}
