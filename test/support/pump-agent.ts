/**
 * The part of the agent that holds an output, as a process that runs a pump by leases until it is killed.
 * Argument: one JSON object. Says `{"ready":true}`, then before each order `{"atMs","leaseMs"}` and after it `{"outcome"}`.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { createDriverRegistry } from '@ares/hardware-drivers';
import { boardNowMs, simulatedHardware } from '@ares/hardware-drivers/simulation';
import { anyHeaderPin, builtInComponentTypes } from '@ares/protocol';
import { createShellGuard } from '../../agent/src/adapters/shell-guard.ts';
import { createSystemClock } from '../../agent/src/adapters/system-clock.ts';
import { ComponentSet } from '../../agent/src/components/component-set.ts';
import { defaultOperatingConfig } from '../../agent/src/operate/config.ts';
import { silentLogger } from '../../agent/src/ports/logger.ts';
import { seededRandom } from './random.ts';

const { boardDir, recordPath, seed } = JSON.parse(process.argv[2] ?? '{}') as {
  boardDir: string;
  recordPath: string;
  seed: number;
};
const say = (fact: object) => process.stdout.write(`${JSON.stringify(fact)}\n`);
const random = seededRandom(seed);
const clock = createSystemClock();
const guard = createShellGuard({ clock, logger: silentLogger, recordPath });
await guard.start();
say({ ready: true });
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
await components.get(2)?.settled;
for (;;) {
  const leaseMs = random.between(200, 1_500);
  const actuator = components.get(2)!.actuator!;
  say({ atMs: boardNowMs(), leaseMs });
  const { outcome } = await actuator.run(actuator.check('on', { durationMs: leaseMs }), () => undefined);
  say({ outcome });
  // Sooner than the end of the lease is a renewal.
  await wait(random.between(20, leaseMs + 300));
}
