import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DriverError, reasonOf } from '../errors.ts';
import type { Dht22Bus, DriverClock, DriverLogger } from '../hardware.ts';
import { createIioDht22Bus } from './iio-dht22-bus.ts';
import { type DhtLibrary, openLibraryDht22Bus } from './library-dht22-bus.ts';

/**
 * The DHT22s of a Raspberry Pi: by the kernel if it drives one, else by `node-dht-sensor` where that can work, else
 * a refusal that says what to do.
 *
 * @param options.devices BCM number → name of the kernel's device, for boards that do not tell
 * @param options.root where /sys is, for tests
 */
export function createBoardDht22Bus(options: {
  readonly clock: DriverClock;
  readonly now: () => number;
  readonly logger: DriverLogger;
  readonly devices?: Readonly<Record<number, string>>;
  readonly root?: string;
  readonly load?: () => Promise<DhtLibrary>;
}): Dht22Bus {
  const { root = '/' } = options;
  const kernel = createIioDht22Bus(options);
  let library: Promise<Dht22Bus> | undefined;
  return {
    query: async (bcm, signal) => {
      if (kernel.isPresent()) return kernel.query(bcm, signal);
      library ??= openLibraryDht22Bus({ ...options, model: boardModel(root) });
      const bus = await library.catch((cause: unknown) => {
        library = undefined;
        throw new DriverError(
          'HARDWARE_MISSING',
          `nothing here can read a DHT22: add dtoverlay=dht11,gpiopin=${bcm} to config.txt and start anew (${reasonOf(cause)})`,
          { details: { bcm }, cause },
        );
      });
      return bus.query(bcm, signal);
    },
  };
}

function boardModel(root: string): string | undefined {
  try {
    return readFileSync(join(root, 'sys/firmware/devicetree/base/model'), 'utf8').replaceAll('\0', '').trim();
  } catch {
    return undefined;
  }
}
