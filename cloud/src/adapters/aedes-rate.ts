/** How many messages a second a peer may send in the long run, and how many at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * A token bucket that answers how long to wait, in ms, before the next message is handled. To wait is not to
 * refuse: the socket is not read meanwhile, TCP tells the sender, and nothing is lost.
 */
export function createPacer(rate: Rate, now: () => number): () => number {
  let tokens = rate.burst;
  let at = now();
  return () => {
    const time = now();
    tokens = Math.min(rate.burst, tokens + ((time - at) / 1_000) * rate.perSecond);
    at = time;
    tokens -= 1;
    return tokens >= 0 ? 0 : (-tokens / rate.perSecond) * 1_000;
  };
}

/** Counts events in a sliding window and answers how many there were, this one included. */
export function createWindow(windowMs: number, now: () => number): () => number {
  let times: number[] = [];
  return () => {
    const time = now();
    times = times.filter((earlier) => time - earlier < windowMs);
    times.push(time);
    return times.length;
  };
}
