import { readLocalIdentity } from '../compose.ts';
import type { AgentConfig } from '../config.ts';
import type { DeviceIdentity } from '../identity/types.ts';

/** Who this device is, without making anything; `undefined` where that cannot be read. */
export function identityIfReadable(config: AgentConfig): DeviceIdentity | undefined {
  try {
    return readLocalIdentity(config);
  } catch {
    return undefined;
  }
}
