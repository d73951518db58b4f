import type { Logger } from '../ports/logger.ts';
import type { DeviceStore } from './types.ts';

/** Opens `device.db` in `dir`. */
export function openDeviceStore(_options: { readonly dir: string; readonly logger: Logger }): DeviceStore {
  throw new Error('The device store is not built yet.');
}
