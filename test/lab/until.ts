import { setTimeout as wait } from 'node:timers/promises';

/** Asks until there is an answer. Emulation is slow: the time is for what hangs. @throws when it is up */
export async function until<T>(ask: () => Promise<T | undefined>, timeoutMs = 120_000): Promise<T> {
  const endsAt = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > endsAt) throw new Error(`no answer within ${timeoutMs} ms`);
    await wait(300);
  }
}
