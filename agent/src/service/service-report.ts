import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Pulse } from '../ports/pulse.ts';
import type { ServiceManager } from '../ports/service-manager.ts';

/** What the service manager is told of the agent's life. */
export interface ServiceReport {
  /** Once; again changes nothing. */
  ready(): void;
  stopping(): void;
  /** Nothing is said any more. */
  close(): void;
}

/** How often the line for people is looked at where nobody watches, ms. */
const LOOK_EVERY_MS = 20_000;

/**
 * Tells the service manager that the work goes on, three times in each of its intervals, and only while every loop
 * of the pulse keeps its promise: an agent that hangs in one of them is restarted, though its timers still run.
 */
export function reportToServiceManager(ports: {
  readonly manager: ServiceManager;
  readonly pulse: Pulse;
  readonly clock: Clock;
  readonly logger: Logger;
  /** State and reason in one line. */
  summary(): string;
}): ServiceReport {
  const { manager, pulse, clock, logger } = ports;
  const everyMs = manager.watchdogMs === undefined ? LOOK_EVERY_MS : manager.watchdogMs / 3;
  let said = '';
  let missed = '';
  let isReady = false;
  let cancel: () => void = () => undefined;

  const say = () => {
    const line = ports.summary();
    if (line !== said) manager.status(line);
    said = line;
  };
  const look = () => {
    cancel = clock.after(everyMs, look);
    const overdue = pulse.overdue().join(', ');
    if (overdue === '') manager.alive();
    else if (overdue !== missed)
      logger.error('a loop hangs; the service manager is told no more', { overdue });
    missed = overdue;
    say();
  };
  look();
  return {
    ready: () => {
      if (!isReady) manager.ready();
      isReady = true;
      say();
    },
    stopping: () => {
      manager.stopping();
      manager.status('Stopping: outputs go safe, what was measured is sent.');
    },
    close: () => cancel(),
  };
}
