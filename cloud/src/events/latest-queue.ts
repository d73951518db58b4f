/** Frames for one slow reader: of each key only the newest waits, so that it is bounded by the number of keys. */
export interface LatestQueue extends AsyncIterable<string> {
  put(key: string, frame: string): void;
  /** Takes back what waits under the key. */
  forget(key: string): void;
  /** Ends the stream after what waits. */
  end(): void;
}

/** @param closed called once, when the stream is over, from whichever side */
export function createLatestQueue(closed: () => void): LatestQueue {
  const waiting = new Map<string, string>();
  let wake: (() => void) | undefined;
  let ended = false;
  let isClosed = false;
  const close = () => {
    ended = true;
    waiting.clear();
    wake?.();
    if (isClosed) return;
    isClosed = true;
    closed();
  };
  const next = async (): Promise<IteratorResult<string>> => {
    for (;;) {
      const first = waiting.entries().next();
      if (!first.done) {
        const [key, frame] = first.value;
        waiting.delete(key);
        return { done: false, value: frame };
      }
      if (ended) {
        close();
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return {
    put(key, frame) {
      if (ended) return;
      waiting.set(key, frame);
      wake?.();
    },
    forget(key) {
      waiting.delete(key);
    },
    end() {
      ended = true;
      wake?.();
    },
    [Symbol.asyncIterator]: () => ({
      next,
      async return() {
        close();
        return { done: true, value: undefined };
      },
    }),
  };
}
