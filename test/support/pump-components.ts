import { createDriverRegistry } from '@ares/hardware-drivers';
import { simulatedHardware } from '@ares/hardware-drivers/simulation';
import { anyHeaderPin, builtInComponentTypes } from '@ares/protocol';
import { ComponentSet } from '../../agent/src/components/component-set.ts';
import { defaultOperatingConfig } from '../../agent/src/operate/config.ts';
import type { Clock } from '../../agent/src/ports/clock.ts';
import type { Guard } from '../../agent/src/ports/guard.ts';
import { silentLogger } from '../../agent/src/ports/logger.ts';

/** The id of the pump. */
export const PUMP = 2;

/** The agent's components with a pump on line 17 of a simulated board; a lost guard makes it safe, as in the agent. */
export async function pumpComponents(options: {
  readonly boardDir: string;
  readonly guard: Guard;
  readonly clock: Clock;
}): Promise<ComponentSet> {
  const { boardDir, guard, clock } = options;
  const components = new ComponentSet({
    drivers: createDriverRegistry(),
    hardware: simulatedHardware(boardDir),
    guard,
    clock,
    logger: silentLogger,
    config: defaultOperatingConfig,
    events: { onMeasured: () => undefined, onHealth: () => undefined },
  });
  guard.onLost(() => {
    for (const { actuator } of components.all) void actuator?.makeSafe();
  });
  await components.apply({
    items: [{ componentId: PUMP, componentType: 'pump', pins: { line: 17 }, config: { minimumOffMs: 0 } }],
    types: [...builtInComponentTypes],
    rules: anyHeaderPin(builtInComponentTypes),
    revision: 1,
  });
  return components;
}
