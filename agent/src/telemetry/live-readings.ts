import type { StoredReading } from '../store/types.ts';

interface Pending {
  readonly componentType: string;
  readings: StoredReading[];
  sinceMs: number;
  urgent: boolean;
}

/**
 * Readings of this boot that have not been sent yet, in the pace of DESIGN §4: those of a component go together
 * after some time or some number; the first since the connection came up, and urgent ones, at once.
 * Bounded: what does not fit is handed back and goes with the backlog.
 */
export class LiveReadings {
  readonly #batchAfterMs: number;
  readonly #batchReadings: number;
  readonly #pending = new Map<number, Pending>();
  readonly #seen = new Set<number>();

  constructor(options: { readonly batchAfterMs: number; readonly batchReadings: number }) {
    this.#batchAfterMs = options.batchAfterMs;
    this.#batchReadings = options.batchReadings;
  }

  /** Whether one of them is the first of its component since the connection came up. */
  isNew(readings: readonly { readonly componentId: number }[]): boolean {
    return readings.some(({ componentId }) => !this.#seen.has(componentId));
  }

  /** The answer is what was pushed out. */
  add(
    stored: readonly StoredReading[],
    at: { readonly urgent: boolean; readonly nowMs: number },
  ): StoredReading[] {
    const out: StoredReading[] = [];
    const first = new Set<number>();
    for (const one of stored) {
      const { componentId } = one.reading;
      const pending = this.#pending.get(componentId) ?? {
        componentType: one.componentType,
        readings: [],
        sinceMs: at.nowMs,
        urgent: false,
      };
      this.#pending.set(componentId, pending);
      pending.readings.push(one);
      pending.urgent ||= at.urgent || !this.#seen.has(componentId);
      first.add(componentId);
      if (pending.readings.length > this.#batchReadings) out.push(pending.readings.shift()!);
    }
    for (const componentId of first) this.#seen.add(componentId);
    return out;
  }

  /** A component type of which something has to go now; what is urgent first. */
  due(nowMs: number): string | undefined {
    const due = [...this.#pending.values()].filter((pending) => this.#dueInMs(pending, nowMs) <= 0);
    return (due.find(({ urgent }) => urgent) ?? due[0])?.componentType;
  }

  /** Ms until something is due; `undefined` when nothing waits. */
  dueInMs(nowMs: number): number | undefined {
    let soonest: number | undefined;
    for (const pending of this.#pending.values()) {
      const inMs = this.#dueInMs(pending, nowMs);
      if (soonest === undefined || inMs < soonest) soonest = inMs;
    }
    return soonest;
  }

  /** Takes everything of this type. */
  take(componentType: string): StoredReading[] {
    const taken: StoredReading[] = [];
    for (const [componentId, pending] of this.#pending) {
      if (pending.componentType !== componentType) continue;
      taken.push(...pending.readings);
      this.#pending.delete(componentId);
    }
    return taken.sort((a, b) => a.reading.seq - b.reading.seq);
  }

  /** A new connection: the next reading of each component goes at once. What waits becomes urgent. */
  restart(): void {
    this.#seen.clear();
    for (const pending of this.#pending.values()) pending.urgent = true;
  }

  #dueInMs(pending: Pending, nowMs: number): number {
    if (pending.urgent || pending.readings.length >= this.#batchReadings) return 0;
    return pending.sinceMs + this.#batchAfterMs - nowMs;
  }
}
