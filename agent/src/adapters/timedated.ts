import { execFile } from 'node:child_process';

const TIMEOUT_MS = 5_000;

/**
 * Whether the kernel says that something keeps its clock set (STA_UNSYNC of adjtimex(2), which Node cannot read):
 * systemd-timedated tells. Covers ntpd, and chrony with `rtcsync`, as Debian configures it. No when it cannot be
 * asked.
 */
export function isClockKept(program = 'timedatectl'): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(
      program,
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: TIMEOUT_MS, env: { PATH: '/usr/bin:/bin' } },
      (error, stdout) => resolve(error === null && stdout.trim() === 'yes'),
    );
  });
}
