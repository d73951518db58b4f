import { DriverError } from './errors.ts';
import type { DriverClock } from './hardware.ts';

/**
 * Runs a driver's call and gives up after `timeoutMs`: a part that never answers then harms nobody else.
 * The signal is aborted first, so a well-written driver ends; one that ignores it is left behind, its late
 * answer dropped.
 *
 * @throws {DriverError} TIMED_OUT naming `what`
 */
export async function withTimeout<T>(
  options: { clock: DriverClock; timeoutMs: number; what: string; signal?: AbortSignal },
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, timeoutMs, what, signal } = options;
  signal?.throwIfAborted();
  const call = new AbortController();
  const timer = new AbortController();
  const forward = () => call.abort(signal?.reason);
  signal?.addEventListener('abort', forward, { once: true });
  const expired = clock.delay(timeoutMs, timer.signal).then(() => {
    const error = new DriverError('TIMED_OUT', `${what} did not answer within ${timeoutMs} ms`, {
      details: { timeoutMs },
    });
    call.abort(error);
    throw error;
  });
  const aborted = new Promise<never>((_, reject) => {
    call.signal.addEventListener('abort', () => reject(call.signal.reason as Error), { once: true });
  });
  const running = task(call.signal);
  // The losers of the race settle later, or never; nobody listens to them any more.
  for (const promise of [expired, aborted, running]) promise.catch(() => undefined);
  try {
    return await Promise.race([running, expired, aborted]);
  } finally {
    timer.abort();
    signal?.removeEventListener('abort', forward);
  }
}
