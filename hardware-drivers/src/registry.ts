import type { DriverDefinition } from './driver.ts';
import { DriverError } from './errors.ts';
import { loadExternalDriver } from './external-driver.ts';

/** Loaded when a component of the type is attached, never before: an agent holds only the drivers it uses. */
const builtIn: Readonly<Record<string, () => Promise<{ driver: DriverDefinition }>>> = {
  cpu: () => import('./cpu/cpu.ts'),
  dht22: () => import('./dht22/dht22.ts'),
  led: () => import('./led/led.ts'),
  pump: () => import('./pump/pump.ts'),
  relay: () => import('./relay/relay.ts'),
  'soil-moisture': () => import('./soil-moisture/soil-moisture.ts'),
};

/** Component types that this package brings a driver for. */
export const builtInTypes: readonly string[] = Object.keys(builtIn);

/** Finds the driver of a component type. */
export interface DriverRegistry {
  readonly types: readonly string[];
  /** @throws {DriverError} DRIVER_UNKNOWN, DRIVER_NOT_FOUND, DRIVER_INVALID, API_VERSION */
  load(type: string): Promise<DriverDefinition>;
}

/**
 * @param external component type → folder or package of a driver by others. It may not take the place of a
 *   built-in type: what `pump` means is not for a downloaded package to say.
 * @param from folder that package names and relative folders are looked up from
 * @throws {DriverError} DRIVER_INVALID when an external type is a built-in one
 */
export function createDriverRegistry(
  options: { external?: Readonly<Record<string, string>>; from?: string } = {},
): DriverRegistry {
  const external = options.external ?? {};
  for (const type of Object.keys(external))
    if (Object.hasOwn(builtIn, type))
      throw new DriverError(
        'DRIVER_INVALID',
        `"${type}" has a built-in driver; give the driver by others a type of its own`,
      );
  return {
    types: [...builtInTypes, ...Object.keys(external)],
    load: async (type) => {
      const load = Object.hasOwn(builtIn, type) ? builtIn[type] : undefined;
      if (load !== undefined) return (await load()).driver;
      const specifier = Object.hasOwn(external, type) ? external[type] : undefined;
      if (specifier === undefined)
        throw new DriverError(
          'DRIVER_UNKNOWN',
          `no driver for component type "${type}"; install one or detach the component`,
          {
            details: { type },
          },
        );
      const driver = await loadExternalDriver(
        specifier,
        options.from === undefined ? {} : { from: options.from },
      );
      if (driver.type !== type)
        throw new DriverError(
          'DRIVER_INVALID',
          `${specifier} is a driver for "${driver.type}", not for "${type}"`,
          {
            details: { type, specifier },
          },
        );
      return driver;
    },
  };
}
