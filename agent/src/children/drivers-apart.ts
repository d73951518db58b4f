import type { AsyncLocalStorage } from 'node:async_hooks';
import { format } from 'node:util';
import { reasonOf } from '../external-drivers/carried-error.ts';
import type { FromDriversChild } from '../ports/drivers-child.ts';
import type { InstanceLog } from './instance-log.ts';

/** What would end the process of all others. */
const endings = ['exit', 'abort', 'reallyExit', 'kill'] as const;

/**
 * Keeps drivers in one process out of each other's way: what one prints goes to its own log, ending the process is
 * an error of the one that tries, and what is thrown where nobody can catch it is the fault of the one that threw.
 */
export function keepApart(
  current: AsyncLocalStorage<InstanceLog>,
  pipe: { send(message: FromDriversChild): void },
): void {
  for (const level of ['debug', 'info', 'warn', 'error'] as const)
    console[level] = (...values: unknown[]) => current.getStore()?.[level](format(...values));
  console.log = console.info;
  const { reallyExit } = process as unknown as { reallyExit(code: number): never };
  for (const name of endings)
    Object.defineProperty(process, name, {
      value: () => {
        throw new Error(`a driver may not call process.${name}`);
      },
    });
  const onThrown = (thrown: unknown) => {
    const log = current.getStore();
    if (log === undefined) {
      // Nobody's in particular: the agent starts it anew and finds out.
      process.stderr.write(`Error: ${reasonOf(thrown)}\n`);
      return void reallyExit.call(process, 1);
    }
    pipe.send({ type: 'fault', instance: log.instance, reason: reasonOf(thrown) });
  };
  process.on('uncaughtException', onThrown);
  process.on('unhandledRejection', onThrown);
}
