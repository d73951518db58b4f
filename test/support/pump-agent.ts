/**
 * The part of the agent that holds an output, as a process that runs a pump by leases until it is killed.
 * Argument: one JSON object. Says `{"ready":true}`, then before each order `{"atMs","leaseMs"}` and after it `{"outcome"}`.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { boardNowMs } from '@ares/hardware-drivers/simulation';
import { createShellGuard } from '../../agent/src/adapters/shell-guard.ts';
import { createSystemClock } from '../../agent/src/adapters/system-clock.ts';
import { silentLogger } from '../../agent/src/ports/logger.ts';
import { PUMP, pumpComponents } from './pump-components.ts';
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
const components = await pumpComponents({ boardDir, guard, clock });
await components.get(PUMP)?.settled;
for (;;) {
  const leaseMs = random.between(200, 1_500);
  const actuator = components.get(PUMP)!.actuator!;
  say({ atMs: boardNowMs(), leaseMs });
  const { outcome } = await actuator.run(actuator.check('on', { durationMs: leaseMs }), () => undefined);
  say({ outcome });
  // Sooner than the end of the lease is a renewal.
  await wait(random.between(20, leaseMs + 300));
}
