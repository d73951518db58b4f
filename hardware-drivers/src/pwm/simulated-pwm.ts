import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DriverError } from '../errors.ts';
import { GpioError } from '../gpio/gpio-line.ts';
import type { PwmChip } from '../hardware.ts';
import { openPwmFolder } from './pwm-files.ts';

/** Lines with a generator, as on a Pi. */
const pwmLines: readonly number[] = [12, 13, 18, 19];

/**
 * The pulse generators of a simulated board: `<board>/pwm/<BCM>/{period,duty_cycle,enable}`, files like those of sysfs.
 * They keep what was written when the writer dies, as on a Pi.
 */
export function createSimulatedPwm(boardDir: string): PwmChip {
  const open = new Set<number>();
  const folderOf = (bcm: number) => {
    if (!pwmLines.includes(bcm))
      throw new DriverError(
        'HARDWARE_MISSING',
        `BCM ${bcm} has no pulse generator: use one of ${pwmLines.join(', ')}, or set pwm to false`,
        { details: { bcm } },
      );
    return join(boardDir, 'pwm', String(bcm));
  };
  return {
    open: async (bcm, { frequencyHz }) => {
      const folder = folderOf(bcm);
      if (open.has(bcm))
        throw new GpioError('PIN_BUSY', `BCM ${bcm} is open already; close the other user first`, { bcm });
      mkdirSync(folder, { recursive: true });
      for (const name of ['period', 'duty_cycle', 'enable'])
        if (!existsSync(join(folder, name))) writeFileSync(join(folder, name), '0\n');
      const line = openPwmFolder({ bcm, folder, frequencyHz, release: () => open.delete(bcm) });
      open.add(bcm);
      return line;
    },
    safeOutput: (bcm) => ({ bcm, path: join(folderOf(bcm), 'enable'), safeValue: '0' }),
  };
}
