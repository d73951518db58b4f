/** Reproducible randomness: mulberry32 over a seed that a failing run prints. */
export interface SeededRandom {
  readonly seed: number;
  /** 0 ≤ x < 1 */
  next(): number;
  /** min ≤ whole number < max */
  between(min: number, max: number): number;
  pick<T>(items: readonly T[]): T;
}

/** The seed of `ARES_SEED`, else one of its own. */
export function seededRandom(
  seed = Number(process.env['ARES_SEED'] ?? Math.floor(Math.random() * 2 ** 31)),
): SeededRandom {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (min: number, max: number) => min + Math.floor(next() * (max - min));
  return { seed, next, between, pick: (items) => items[between(0, items.length)] as (typeof items)[number] };
}
