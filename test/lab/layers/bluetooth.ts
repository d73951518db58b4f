import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../command.ts';
import type { Apt } from './apt.ts';
import { type Layer, layer } from './layer.ts';

const patch = join(import.meta.dirname, '../guest-bluetooth/advertise-again.patch');

const SOURCES = [
  ...['main', 'serial', 'server', 'vhci', 'btdev', 'bthost', 'smp', 'phy', 'amp', 'le'].map(
    (name) => `emulator/${name}.c`,
  ),
  ...['util', 'queue', 'mainloop', 'mainloop-notify', 'io-mainloop', 'timeout-mainloop', 'crypto', 'ecc'].map(
    (name) => `src/shared/${name}.c`,
  ),
  'lib/bluetooth.c',
  'lib/hci.c',
];

/** `btvirt`: BlueZ's own simulated controllers, made to advertise again and again as real ones do. */
export async function bluetoothLayer(apt: Apt): Promise<Layer> {
  const version = await apt.sourceVersion('bluez');
  return await layer({
    name: `bluetooth-${apt.architecture}`,
    inputs: [version, readFileSync(patch, 'utf8'), ...SOURCES],
    build: async (folder) => {
      await apt.downloadSource('bluez', folder);
      const tree = globSync(join(folder, 'bluez-*/')).find(
        (path) => !path.endsWith('.xz') && !path.endsWith('.dsc'),
      );
      if (tree === undefined) throw new Error('the source package of bluez has no folder bluez-*');
      await command('patch', ['-p1', '-d', tree, '-i', patch]);
      writeFileSync(join(tree, 'config.h'), '');
      const compiler = apt.architecture === 'arm64' ? 'aarch64-linux-gnu-gcc' : 'gcc';
      await command(
        compiler,
        [
          '-O1',
          '-w',
          '-static',
          '-D_GNU_SOURCE',
          '-DVERSION="lab"',
          '-I.',
          '-Ilib',
          '-Isrc',
          '-o',
          join(folder, 'btvirt'),
          ...SOURCES,
        ],
        { cwd: tree },
      );
      for (const file of globSync(join(folder, 'bluez*'))) rmSync(file, { recursive: true });
    },
  });
}
