/** Time as an argument. Everything that waits or dates something gets it from here, so tests own it. */
export interface Clock {
  /** Wall clock, epoch ms. Right only when the board says so: see the trusted clock. */
  now(): number;
  /** Milliseconds since a fixed moment of this process; never goes back, goes on while the wall clock jumps. */
  monotonicMs(): number;
  /** Whether the operating system keeps the wall clock set from the network. */
  synchronised(): boolean;
  /** Calls `run` once after `delayMs` of monotonic time. The answer cancels it and may be called again. */
  after(delayMs: number, run: () => void): () => void;
}

/** A promise for the passing of time; rejects with the signal's reason when aborted. */
export function delay(clock: Clock, durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error);
    const onAbort = () => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(durationMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
