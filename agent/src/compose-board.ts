import { join } from 'node:path';
import type { Hardware } from '@ares/hardware-drivers';
import { createSimulatedWifi } from './adapters/simulated-wifi.ts';
import { createSystemClock } from './adapters/system-clock.ts';
import type { AgentConfig } from './config.ts';
import type { Clock } from './ports/clock.ts';
import type { Logger } from './ports/logger.ts';
import type { Wifi } from './ports/wifi.ts';

/*
 * The part of the composition that differs between a simulated board and a Raspberry Pi.
 */

export function openClock(config: AgentConfig): Clock {
  return createSystemClock({ assumeSynchronised: config.simulateBoard !== undefined });
}

export async function openHardware(config: AgentConfig): Promise<Hardware> {
  if (config.simulateBoard !== undefined) {
    const { simulatedHardware } = await import('@ares/hardware-drivers/simulation');
    return simulatedHardware(config.simulateBoard);
  }
  const { openPiHardware } = await import('@ares/hardware-drivers');
  return openPiHardware();
}

export async function openWifi(
  config: AgentConfig,
  ports: { readonly clock: Clock; readonly logger: Logger },
): Promise<Wifi> {
  return createSimulatedWifi({ path: join(config.stateDir, 'wifi.json'), now: () => ports.clock.now() });
}
