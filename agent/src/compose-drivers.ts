import { existsSync, realpathSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import {
  createDriverRegistry,
  DriverError,
  type DriverLocation,
  locateExternalDriver,
} from '@ares/hardware-drivers';
import type { AgentConfig } from './config.ts';
import type { Clock } from './ports/clock.ts';
import type { DriverSource } from './ports/driver-source.ts';
import type { Logger } from './ports/logger.ts';

/** Heap of the process of drivers by others, MB. */
const DRIVERS_HEAP_MB = 64;

/**
 * Built-in drivers in this process, those by others in one of their own. What that takes is loaded only where the
 * settings name such a driver.
 *
 * @throws {DriverError} DRIVER_INVALID when a driver by others would take the place of a built-in one
 */
export async function openDrivers(options: {
  readonly config: Pick<AgentConfig, 'drivers' | 'stateDir'>;
  /** This program, and the folder that it is loaded from. */
  readonly mainFile: string;
  readonly programFolder: string;
  readonly clock: Clock;
  readonly logger: Logger;
}): Promise<DriverSource & { close(): Promise<void> }> {
  const { config, mainFile, programFolder, clock, logger } = options;
  const external = config.drivers;
  const builtIn = createDriverRegistry({ external });
  if (Object.keys(external).length === 0) return { load: builtIn.load, close: async () => {} };

  const { createDriverHost } = await import('./external-drivers/driver-host.ts');
  const { createDriversProcess } = await import('./adapters/drivers-process.ts');
  const locate = (type: string) => {
    const found = locateExternalDriver(external[type] ?? '', { from: config.stateDir });
    refuseSecrets(found, config.stateDir);
    return found;
  };
  const host = createDriverHost({
    clock,
    logger,
    process: createDriversProcess({
      mainFile,
      heapMb: DRIVERS_HEAP_MB,
      // Anew for each start: a driver may have been installed since the last one.
      drivers: () => Object.fromEntries(Object.keys(external).flatMap((type) => found(type, locate))),
      programFolder,
    }),
  });
  return {
    async load(type, component) {
      if (!Object.hasOwn(external, type)) return await builtIn.load(type);
      locate(type);
      return await host.load(type, component);
    },
    close: host.close,
  };
}

/**
 * A driver may read its own folder; the keys of the device must not be in it.
 * @throws {DriverError} DRIVER_INVALID
 */
function refuseSecrets({ path, folders }: DriverLocation, stateDir: string): void {
  const secrets = existsSync(stateDir) ? realpathSync(stateDir) : resolve(stateDir);
  const open = folders.map((folder) => realpathSync(folder)).find((folder) => isWithin(secrets, folder));
  if (open === undefined) return;
  throw new DriverError(
    'DRIVER_INVALID',
    `the driver at ${path} could read the keys of this device, because ${open} holds its state; move it into a folder of its own`,
  );
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith('../');
}

/** What is not installed, or lies where it must not, is refused when it is needed. */
function found<T>(type: string, locate: (type: string) => T): [string, T][] {
  try {
    return [[type, locate(type)]];
  } catch (cause) {
    if (cause instanceof DriverError) return [];
    throw cause;
  }
}
