import { type Clock, delay } from '../ports/clock.ts';
import type { Connection } from './connection.ts';

const LOOK_EVERY_MS = 250;
/** Pause before another attempt: a network that was just joined may need a moment, not the pause of a fleet. */
const AGAIN_AFTER_MS = 2_000;

/** Ends the present connection and resolves when another one stands; rejects with the signal's reason. */
export async function proveConnection(
  connection: Pick<Connection, 'reconnect' | 'established' | 'state'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const before = connection.established;
  connection.reconnect();
  let waitingSince: number | undefined;
  while (connection.established === before || connection.state !== 'connected') {
    await delay(clock, LOOK_EVERY_MS, signal);
    if (connection.state !== 'waiting') {
      waitingSince = undefined;
      continue;
    }
    waitingSince ??= clock.monotonicMs();
    if (clock.monotonicMs() - waitingSince < AGAIN_AFTER_MS) continue;
    waitingSince = undefined;
    connection.reconnect();
  }
}
