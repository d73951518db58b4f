import type { Clock } from './clock.ts';

/**
 * Whether every loop that does the work still gets round. Each promises when it is heard of next; who breaks that
 * promise hangs, however busy the rest of the process looks.
 */
export interface Pulse {
  /** The loop goes round, and is heard of again, or ends, within this time. */
  beat(loop: string, withinMs: number): void;
  /** The loop has ended in order. */
  end(loop: string): void;
  /** Loops that have broken their promise. */
  overdue(): readonly string[];
}

export function createPulse({ clock }: { readonly clock: Clock }): Pulse {
  const due = new Map<string, number>();
  return {
    beat: (loop, withinMs) => void due.set(loop, clock.monotonicMs() + withinMs),
    end: (loop) => void due.delete(loop),
    overdue: () => {
      const now = clock.monotonicMs();
      return [...due].filter(([, at]) => at < now).map(([loop]) => loop);
    },
  };
}
