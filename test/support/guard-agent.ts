/** The part of the agent that holds an output, as a process that a test may kill or block. Arguments: one JSON object. */
import { createShellGuard } from '../../agent/src/adapters/shell-guard.ts';
import { createSystemClock } from '../../agent/src/adapters/system-clock.ts';
import { silentLogger } from '../../agent/src/ports/logger.ts';
import { PUMP, pumpComponents } from './pump-components.ts';

const { boardDir, leaseMs, blockMs } = JSON.parse(process.argv[2] ?? '{}') as {
  boardDir: string;
  leaseMs: number;
  /** After switching on the event loop does nothing else for this long. */
  blockMs?: number;
};
const clock = createSystemClock();
const guard = createShellGuard({ clock, logger: silentLogger });
await guard.start();
const components = await pumpComponents({ boardDir, guard, clock });
while (components.get(PUMP)?.actuator === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
const actuator = components.get(PUMP)!.actuator!;
const outcome = await actuator.run(actuator.check('on', { durationMs: leaseMs }), () => undefined);
process.stdout.write(`${JSON.stringify(outcome)}\n`);
// As CPU-bound code of a driver would: no timer, no socket, no signal handler runs meanwhile.
if (blockMs !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
