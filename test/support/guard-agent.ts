/** The part of the agent that holds an output, as a process that a test may kill or block. Arguments: one JSON object. */
import { createDriverRegistry } from '@ares/hardware-drivers';
import { simulatedHardware } from '@ares/hardware-drivers/simulation';
import { anyHeaderPin, builtInComponentTypes } from '@ares/protocol';
import { createShellGuard } from '../../agent/src/adapters/shell-guard.ts';
import { createSystemClock } from '../../agent/src/adapters/system-clock.ts';
import { ComponentSet } from '../../agent/src/components/component-set.ts';
import { defaultOperatingConfig } from '../../agent/src/operate/config.ts';
import { silentLogger } from '../../agent/src/ports/logger.ts';

const { boardDir, leaseMs, blockMs } = JSON.parse(process.argv[2] ?? '{}') as {
  boardDir: string;
  leaseMs: number;
  /** After switching on the event loop does nothing else for this long. */
  blockMs?: number;
};
const clock = createSystemClock();
const guard = createShellGuard({ clock, logger: silentLogger });
await guard.start();
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
  items: [{ componentId: 2, componentType: 'pump', pins: { line: 17 }, config: { minimumOffMs: 0 } }],
  types: [...builtInComponentTypes],
  rules: anyHeaderPin(builtInComponentTypes),
  revision: 1,
});
while (components.get(2)?.actuator === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
const actuator = components.get(2)!.actuator!;
const outcome = await actuator.run(actuator.check('on', { durationMs: leaseMs }), () => undefined);
process.stdout.write(`${JSON.stringify(outcome)}\n`);
// As CPU-bound code of a driver would: no timer, no socket, no signal handler runs meanwhile.
if (blockMs !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
