import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs that the lab starts, and the Debian package of each. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
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

/** What this machine lacks for the lab; empty when it can run it. */
export function missingRequirements(): string[] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const packages = Object.entries(PROGRAMS)
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
