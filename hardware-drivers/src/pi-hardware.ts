import { createProcCpuSampler } from './cpu/proc-cpu-sampler.ts';
import { DriverError } from './errors.ts';
import { type GpioChip, GpioError } from './gpio/gpio-line.ts';
import { openOnoffGpio } from './gpio/onoff-gpio.ts';
import type { Dht22Bus, DriverLogger, Hardware } from './hardware.ts';
import { createSysfsPwm } from './pwm/sysfs-pwm.ts';
import { systemDriverClock } from './system-clock.ts';

/**
 * The hardware of the Raspberry Pi that this process runs on. What the board has not, or has no adapter for, refuses
 * each use with its reason, so that the components on it show an error and all others work.
 *
 * @param options.dht22Devices BCM number → name of the kernel's device, for boards that do not tell
 * @param options.openGpio the adapter of the lines; default: sysfs
 */
export async function openPiHardware(
  options: {
    logger?: DriverLogger;
    dht22Devices?: Readonly<Record<number, string>>;
    openGpio?: () => Promise<GpioChip>;
  } = {},
): Promise<Hardware> {
  const clock = systemDriverClock;
  const gpio = await (options.openGpio ?? openOnoffGpio)().catch(absentChip);
  return {
    name: `Raspberry Pi, lines by ${gpio.name ?? 'its chip'}`,
    gpio,
    pwm: createSysfsPwm({ clock }),
    dht22Bus: onFirstQuery(async () => {
      const { createBoardDht22Bus } = await import('./dht22/board-dht22-bus.ts');
      const { logger = silent, dht22Devices: devices = {} } = options;
      return createBoardDht22Bus({ clock, now: Date.now, logger, devices });
    }),
    adc: { readRatio: async () => missing('analogue-digital converter') },
    cpu: createProcCpuSampler(),
  };
}

/** A chip that could not be opened. @throws what it was, if it is no failure of the board */
function absentChip(reason: unknown): GpioChip {
  if (!(reason instanceof GpioError)) throw reason;
  return {
    name: `nothing: ${reason.message}`,
    openOutput: async () => {
      throw reason;
    },
    openInput: async () => {
      throw reason;
    },
    safeOutput: () => {
      throw reason;
    },
  };
}

/** Most boards have no DHT22: the code for it stays out of the resident process until there is one. */
function onFirstQuery(open: () => Promise<Dht22Bus>): Dht22Bus {
  let bus: Promise<Dht22Bus> | undefined;
  return {
    query: async (bcm, signal) => {
      bus ??= open();
      return (await bus).query(bcm, signal);
    },
  };
}

function missing(what: string): never {
  throw new DriverError('HARDWARE_MISSING', `no adapter for the ${what} on this board`);
}

const silent: DriverLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
