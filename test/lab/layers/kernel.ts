import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { command } from '../command.ts';
import { type Apt, openApt } from './apt.ts';
import { type Layer, layer } from './layer.ts';

/** Files of Debian's kernel source that are built as modules, as `guest-kernel/Kbuild` says. */
const FROM_DEBIAN = [
  'kernel/irq/irq_sim.c',
  'drivers/gpio/gpio-sim.c',
  'drivers/iio/humidity/dht11.c',
  'drivers/bluetooth/hci_vhci.c',
];

const sources = join(import.meta.dirname, '../guest-kernel');

/** A layer that says which kernel it holds. */
export interface KernelLayer extends Layer {
  /** As `uname -r`. */
  readonly release: string;
}

/**
 * Debian's kernel 6.12 (it numbers GPIO chips from 512 up, as the current ones of Raspberry Pi do) and the
 * modules that Debian leaves out, built from its own source and from `guest-kernel/`: `boot/vmlinuz-*`, `lib/modules/*`.
 */
export async function kernelLayer(apt: Apt): Promise<KernelLayer> {
  const depends = await apt.backportDepends(`linux-image-${apt.architecture}`);
  const release = /Depends: linux-image-(\S+)/.exec(depends)?.[1];
  if (release === undefined) throw new Error('the mirror has no linux-image in backports');
  const version = await apt.backportVersion(`linux-image-${release}`);
  const numbers = release.replace(`-${apt.architecture}`, '');
  const series = release.split('.').slice(0, 2).join('.');
  const built = await layer({
    name: `kernel-${apt.architecture}`,
    inputs: [version, release, ...FROM_DEBIAN, ...ownSources().map((file) => readFileSync(file, 'utf8'))],
    build: async (folder) => {
      await apt.download(
        [
          `linux-image-${release}`,
          `linux-headers-${release}`,
          `linux-headers-${numbers}-common`,
          `linux-source-${series}=${version}`,
        ],
        folder,
      );
      // The tools of the build run here, whatever they build for.
      const here = apt.architecture === 'amd64' ? apt : await openApt('amd64');
      await here.download([`linux-kbuild-${numbers}`], folder);
      const unpack = (name: string, into: string) =>
        Promise.all(
          globSync(join(folder, name)).map((file) => command('dpkg', ['-x', file, join(folder, into)])),
        );
      await unpack('linux-image-*.deb', '.');
      const build = join(folder, 'build');
      await unpack('linux-headers-*.deb', 'build');
      await unpack('linux-kbuild-*.deb', 'build');
      await unpack('linux-source-*.deb', 'build');
      await buildModules({ build, series, headers: join(build, 'usr/src', `linux-headers-${release}`) });
      const extra = join(folder, 'lib/modules', release, 'extra');
      await command('install', ['-D', '-t', extra, ...globSync(join(build, 'modules/*.ko'))]);
      await command('depmod', ['-b', folder, release]);
      rmSync(build, { recursive: true });
      for (const file of globSync(join(folder, '*.deb'))) rmSync(file);
    },
  });
  return { ...built, release };
}

const ownSources = () => globSync(join(sources, '*')).toSorted();

async function buildModules(at: { build: string; series: string; headers: string }): Promise<void> {
  const tree = `linux-source-${at.series}`;
  const modules = join(at.build, 'modules');
  await command('tar', [
    '-C',
    at.build,
    '-xf',
    join(at.build, 'usr/src', `${tree}.tar.xz`),
    ...FROM_DEBIAN.map((file) => `${tree}/${file}`),
  ]);
  await command('install', [
    '-D',
    '-t',
    modules,
    ...FROM_DEBIAN.map((file) => join(at.build, tree, file)),
    ...ownSources(),
  ]);
  for (const patch of globSync(join(modules, '*.patch')))
    await command('patch', ['-p1', '-d', modules, '-i', patch]);
  // Debian's headers name each other by where they would be installed.
  const makefile = join(at.headers, 'Makefile');
  writeFileSync(makefile, readFileSync(makefile, 'utf8').replaceAll('/usr/src/', `${at.build}/usr/src/`));
  await command('make', [
    '-s',
    `-j${cpus().length}`,
    '-C',
    at.headers,
    `M=${modules}`,
    // Type information for BPF would ask for one more tool.
    'CONFIG_DEBUG_INFO_BTF_MODULES=',
    'modules',
  ]);
}
