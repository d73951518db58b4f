import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Architecture } from './layers/apt.ts';

/** Programs that the lab starts, and the Debian package of each. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'qemu-img': 'qemu-utils',
  mmdebstrap: 'mmdebstrap',
  mke2fs: 'e2fsprogs',
  cpio: 'cpio',
  depmod: 'kmod',
  xz: 'xz-utils',
  busybox: 'busybox-static',
  make: 'build-essential',
  'gcc-12': 'gcc-12',
  patch: 'patch',
  setpriv: 'util-linux',
  'dpkg-source': 'dpkg-dev',
};

/** Those for a machine of each architecture. */
const PROGRAMS_FOR: Readonly<Record<Architecture, Readonly<Record<string, string>>>> = {
  amd64: { 'qemu-system-x86_64': 'qemu-system-x86' },
  arm64: {
    'qemu-system-aarch64': 'qemu-system-arm',
    'qemu-aarch64-static': 'qemu-user-static',
    'arch-test': 'arch-test',
    'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu',
    'aarch64-linux-gnu-gcc-12': 'gcc-12-aarch64-linux-gnu',
    'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu',
  },
};

/** What `npm run lab -- --arch` says, kept in the environment for the process of the cases. @throws */
export function labArchitecture(): Architecture {
  const given = process.env['ARES_LAB_ARCH'] ?? 'amd64';
  if (given === 'amd64' || given === 'arm64') return given;
  throw new Error(`the lab has no machine of ${given}: amd64 or arm64`);
}

/** What this machine lacks for the lab; empty when it can run it. */
export function missingRequirements(architecture: Architecture): string[] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const packages = Object.entries({ ...PROGRAMS, ...PROGRAMS_FOR[architecture] })
    .filter(([program]) => !folders.some((folder) => isProgram(join(folder, program))))
    .map(([, name]) => name);
  const missing: string[] = [];
  if (process.platform !== 'linux' || process.arch !== 'x64') missing.push('a PC with Linux');
  if (!existsSync('/usr/share/keyrings/debian-archive-keyring.gpg')) missing.push('Debian');
  // The guest's files belong to several users, and the host writes them into its disk.
  if (process.getuid?.() !== 0) missing.push('root');
  if (packages.length > 0) missing.push(`the packages ${[...new Set(packages)].join(' ')}`);
  return missing;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
