import type { StoredReading } from '../store/types.ts';

/** Which stored readings are on their way, wait for their pace, or were put off: the backlog leaves them alone. */
export class HeldReadings {
  readonly #byBoot = new Map<number, Set<number>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  has({ boot, reading }: StoredReading): boolean {
    return this.#byBoot.get(boot.order)?.has(reading.seq) === true;
  }

  countOf(bootOrder: number): number {
    return this.#byBoot.get(bootOrder)?.size ?? 0;
  }

  hold(readings: readonly StoredReading[]): void {
    for (const { boot, reading } of readings) {
      const seqs = this.#byBoot.get(boot.order) ?? new Set();
      this.#byBoot.set(boot.order, seqs);
      if (!seqs.has(reading.seq)) this.#count++;
      seqs.add(reading.seq);
    }
  }

  release(bootOrder: number, seqs: Iterable<number>): void {
    const held = this.#byBoot.get(bootOrder);
    if (held === undefined) return;
    for (const seq of seqs) if (held.delete(seq)) this.#count--;
    if (held.size === 0) this.#byBoot.delete(bootOrder);
  }
}
