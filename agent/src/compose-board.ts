import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Hardware } from '@ares/hardware-drivers';
import { createSystemClock } from './adapters/system-clock.ts';
import { isClockKept } from './adapters/timedated.ts';
import { createFlooredClock, type FlooredClock } from './clock/floored-clock.ts';
import type { AgentConfig } from './config.ts';
import { devicePaths } from './identity/device-paths.ts';
import type { Clock } from './ports/clock.ts';
import type { Logger } from './ports/logger.ts';
import type { Wifi } from './ports/wifi.ts';
import { agentReleasedAt } from './version.ts';

/*
 * The part of the composition that differs between a simulated board and a Raspberry Pi.
 */

export function openClock(
  config: Pick<AgentConfig, 'clock' | 'simulateBoard' | 'stateDir'>,
  options: { readonly warn?: (cause: unknown) => void; readonly ask?: () => Promise<boolean> } = {},
): FlooredClock {
  const { warn, ask = isClockKept } = options;
  const assumeSynchronised = config.clock === 'assume' || config.simulateBoard !== undefined;
  return createFlooredClock({
    clock: createSystemClock({ assumeSynchronised, ask }),
    path: devicePaths(config.stateDir).clock,
    releasedAt: assumeSynchronised ? 0 : agentReleasedAt,
    ...(warn !== undefined && { warn }),
  });
}

/** The same for a program that lives for one question: what a clock asks in the background is answered already. */
export async function openSettledClock(
  config: Parameters<typeof openClock>[0],
  ask = isClockKept,
): Promise<FlooredClock> {
  let asked: Promise<boolean> | undefined;
  const clock = openClock(config, { ask: () => (asked ??= ask()) });
  clock.synchronised();
  await asked;
  // The clock hears of it in a later turn.
  await new Promise((resolve) => setImmediate(resolve));
  return clock;
}

export async function openHardware(config: AgentConfig, logger: Logger): Promise<Hardware> {
  if (config.simulateBoard !== undefined) {
    const { simulatedHardware } = await import('@ares/hardware-drivers/simulation');
    return simulatedHardware(config.simulateBoard);
  }
  const { openBoardGpio, openPiHardware } = await import('@ares/hardware-drivers');
  // In memory, and left alone when the service stops: those who hold outputs outlive the agent.
  const runtimeDir = join(process.env.RUNTIME_DIRECTORY ?? config.stateDir, 'lines');
  return openPiHardware({
    logger,
    dht22Devices: config.dht22Devices,
    openGpio: () => openBoardGpio({ choice: config.gpio, runtimeDir }),
  });
}

/** The button of the board, if it has one. A line that cannot be had is logged and leaves the device without it. */
export async function openButton(
  config: AgentConfig,
  ports: Omit<Parameters<typeof import('./button/front-panel.ts').openFrontPanel>[0], 'settings'>,
): Promise<{ close(): Promise<void> } | undefined> {
  if (config.button === undefined) return undefined;
  const { openFrontPanel } = await import('./button/front-panel.ts');
  return await openFrontPanel({ ...ports, settings: config.button }).catch((cause: unknown) => {
    ports.logger.error('the button of the board cannot be used', { line: config.button?.line, cause });
    return undefined;
  });
}

export async function openWifi(
  config: AgentConfig,
  ports: { readonly clock: Clock; readonly logger: Logger },
): Promise<Wifi> {
  const { stateDir } = config;
  if (config.simulateBoard !== undefined) {
    const { createSimulatedWifi } = await import('./adapters/simulated-wifi.ts');
    return createSimulatedWifi({ path: join(stateDir, 'wifi.json'), now: () => ports.clock.now() });
  }
  const { hasAddress } = await import('./adapters/network-address.ts');
  if (config.wifi === 'none') {
    const { createUnmanagedWifi } = await import('./adapters/unmanaged-wifi.ts');
    return createUnmanagedWifi({ clock: ports.clock, hasAddress });
  }
  const [{ createNetworkManagerWifi }, { createProgramRunner }] = await Promise.all([
    import('./adapters/networkmanager-wifi.ts'),
    import('./adapters/run-program.ts'),
  ]);
  return createNetworkManagerWifi({
    ...ports,
    hasAddress,
    // systemd's runtime directory is in memory.
    run: createProgramRunner({ scratchDir: process.env.RUNTIME_DIRECTORY ?? stateDir }),
    recordPath: join(stateDir, 'networkmanager.json'),
    uuid: randomUUID,
  });
}
