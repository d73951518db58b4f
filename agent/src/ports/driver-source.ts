import type { DriverDefinition } from '@ares/hardware-drivers';
import type { AttachedComponent } from '@ares/protocol';

/** Finds the driver of a component, wherever it runs. A `DriverRegistry` is one. */
export interface DriverSource {
  /**
   * The definition is for this component alone: that of a driver in another process holds the answers that its
   * driver gave for this wiring.
   * @throws {DriverError} DRIVER_UNKNOWN, DRIVER_NOT_FOUND, DRIVER_INVALID, API_VERSION; from another process also
   *   CONFIG_INVALID, DRIVER_ENDED, DRIVER_SUSPENDED
   */
  load(type: string, component: AttachedComponent): Promise<DriverDefinition>;
}
