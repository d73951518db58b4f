import type { DriverLogger } from '@ares/hardware-drivers';
import type { FromDriversChild } from '../ports/drivers-child.ts';
import type { LogLevel } from '../ports/logger.ts';

/** What one instance has to say, in the agent's log. */
export interface InstanceLog extends DriverLogger {
  readonly instance: number;
}

const MOST_LINES = 20;
const PER_MS = 10_000;
const LONGEST = 1_000;

/** A log of at most 20 lines in 10 s, so that no driver fills the journal. */
export function createInstanceLog(
  instance: number,
  pipe: { send(message: FromDriversChild): void },
): InstanceLog {
  let since = Number.NEGATIVE_INFINITY;
  let lines = 0;
  const log =
    (level: LogLevel) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      const now = performance.now();
      if (now - since > PER_MS) {
        since = now;
        lines = 0;
      }
      if (++lines > MOST_LINES) return;
      pipe.send({
        type: 'log',
        instance,
        level,
        message: String(message).slice(0, LONGEST),
        fields: small(fields),
      });
    };
  return { instance, debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

/** Fields as short text: a driver may hand over anything, also what JSON cannot hold. */
function small(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields)
      .slice(0, 10)
      .map(([name, value]) => [
        name.slice(0, 40),
        typeof value === 'number' || typeof value === 'boolean' ? value : String(value).slice(0, LONGEST),
      ]),
  );
}
