import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { command } from '../command.ts';
import type { Architecture } from './apt.ts';

const TABLE = '/proc/sys/fs/binfmt_misc';
/** What systemd-binfmt would tell the kernel; it comes with qemu-user-static. */
const emulator = (name: string) => `/usr/lib/binfmt.d/${name}.conf`;
const EMULATORS: Readonly<Record<Architecture, string>> = { amd64: 'qemu-x86_64', arm64: 'qemu-aarch64' };

/**
 * Does the work while this machine can run programs of the architecture, by emulation where it must. Where the kernel
 * has not been told how, as in containers, it is told so for as long as the work takes.
 *
 * @throws when it cannot be told
 */
export async function whileRunnable(architecture: Architecture, work: () => Promise<void>): Promise<void> {
  if (await isRunnable(architecture)) return await work();
  const mounted = existsSync(`${TABLE}/register`);
  if (!mounted) await command('mount', ['-t', 'binfmt_misc', 'binfmt_misc', TABLE]);
  const name = EMULATORS[architecture];
  try {
    writeFileSync(`${TABLE}/register`, readFileSync(emulator(name), 'utf8').trim());
    try {
      await work();
    } finally {
      writeFileSync(`${TABLE}/${name}`, '-1');
    }
  } finally {
    if (!mounted) await command('umount', [TABLE]);
  }
}

async function isRunnable(architecture: Architecture): Promise<boolean> {
  if (architecture === 'amd64') return true;
  try {
    await command('arch-test', ['-n', architecture]);
    return true;
  } catch {
    return false;
  }
}
