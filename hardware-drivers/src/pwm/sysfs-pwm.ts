import { readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DriverError } from '../errors.ts';
import { GpioError } from '../gpio/gpio-line.ts';
import type { DriverClock, PwmChip } from '../hardware.ts';
import { isWritable, openPwmFolder } from './pwm-files.ts';

/**
 * Generators behind the header by the address of their device, which stays, unlike the number of the chip: the one
 * of the BCM2835 to BCM2711 (lines 12 and 18 are the same channel, so are 13 and 19), and that of the Pi 5's RP1.
 */
const generators: readonly {
  readonly device: RegExp;
  readonly channels: Readonly<Record<number, number>>;
}[] = [
  { device: /20c000\.pwm$/, channels: { 12: 0, 13: 1, 18: 0, 19: 1 } },
  { device: /98000\.pwm$/, channels: { 12: 0, 13: 1, 18: 2, 19: 3 } },
];
/** udev hands a channel over some time after its export. */
const exportTimeoutMs = 2_000;
const lookAgainMs = 20;

/**
 * The header's pulse generators through /sys/class/pwm. A line has one where `dtoverlay=pwm,pin=18,func=2` (or
 * pin=12,13,19 with their func) stands in config.txt; which line the overlay named cannot be seen from here.
 *
 * Source: Linux Documentation/driver-api/pwm.rst; BCM2835 ARM Peripherals §9; RP1 Peripherals §3.
 *
 * @param options.root the sysfs folder, for tests
 */
export function createSysfsPwm(options: { readonly clock: DriverClock; readonly root?: string }): PwmChip {
  const { clock, root = '/sys/class/pwm' } = options;
  const taken = new Set<string>();
  return {
    open: async (bcm, { frequencyHz }) => {
      const { chip, channel, folder } = find(root, bcm);
      if (taken.has(folder))
        throw new GpioError('PIN_BUSY', `the generator of BCM ${bcm} serves another line already`, { bcm });
      taken.add(folder);
      const release = () => taken.delete(folder);
      try {
        if (!isWritable(folder)) await exportChannel(clock, bcm, { chip, channel, folder });
        return openPwmFolder({ bcm, folder, frequencyHz, release });
      } catch (error) {
        release();
        throw error;
      }
    },
    safeOutput: (bcm) => ({ bcm, path: join(find(root, bcm).folder, 'enable'), safeValue: '0' }),
  };
}

interface Channel {
  readonly chip: string;
  readonly channel: number;
  readonly folder: string;
}

function find(root: string, bcm: number): Channel {
  for (const name of chipsIn(root)) {
    const chip = join(root, name);
    const device = deviceOf(chip);
    const channel = generators.find((generator) => generator.device.test(device))?.channels[bcm];
    if (channel !== undefined) return { chip, channel, folder: join(chip, `pwm${channel}`) };
  }
  throw new DriverError(
    'HARDWARE_MISSING',
    `BCM ${bcm} has no pulse generator here: use BCM 12, 13, 18 or 19 and add e.g. dtoverlay=pwm,pin=18,func=2 to config.txt, or set pwm to false`,
    { details: { bcm } },
  );
}

function chipsIn(root: string): string[] {
  try {
    return readdirSync(root).filter((name) => name.startsWith('pwmchip'));
  } catch {
    return [];
  }
}

/** Name of the device, e.g. `3f20c000.pwm`. */
function deviceOf(chip: string): string {
  try {
    return basename(realpathSync(join(chip, 'device')));
  } catch {
    return '';
  }
}

async function exportChannel(
  clock: DriverClock,
  bcm: number,
  { chip, channel, folder }: Channel,
): Promise<void> {
  try {
    writeFileSync(join(chip, 'export'), `${channel}\n`);
  } catch (cause) {
    // EBUSY: exported before, and not handed over yet.
    if ((cause as NodeJS.ErrnoException).code !== 'EBUSY')
      throw new GpioError('IO_FAILED', `BCM ${bcm}: channel ${channel} of ${chip} cannot be exported`, {
        bcm,
        cause,
      });
  }
  const untilMs = clock.monotonicMs() + exportTimeoutMs;
  while (!isWritable(folder)) {
    if (clock.monotonicMs() >= untilMs)
      throw new GpioError('IO_FAILED', `BCM ${bcm}: may this user write ${folder}?`, { bcm });
    await clock.delay(lookAgainMs);
  }
}
