import { MAX_READINGS_PER_MESSAGE } from '@ares/protocol';
import type { Outbox, StoredReading } from '../store/types.ts';
import type { HeldReadings } from './held-readings.ts';

const PAGE = 200;

/**
 * The oldest stored readings that may go: one boot and one component type, as one message holds.
 * @param options.postponed boots that the cloud does not take now
 */
export function nextBacklog(options: {
  readonly outbox: Outbox;
  readonly held: HeldReadings;
  readonly postponed: (bootOrder: number) => boolean;
}): StoredReading[] {
  const { outbox, held, postponed } = options;
  if (outbox.rows <= held.count) return [];
  const free = (one: StoredReading) => !held.has(one) && !postponed(one.boot.order);
  let after = { order: 0, seq: 0 };
  for (;;) {
    const page = outbox.read({ after, limit: PAGE });
    const last = page.at(-1);
    if (last === undefined) return [];
    const first = page.find(free);
    if (first !== undefined) {
      const { order } = first.boot;
      return outbox
        .read({
          after: { order, seq: first.reading.seq - 1 },
          boot: order,
          componentType: first.componentType,
          limit: MAX_READINGS_PER_MESSAGE + held.countOf(order),
        })
        .filter(free)
        .slice(0, MAX_READINGS_PER_MESSAGE);
    }
    // The rest of a boot that is put off is not worth reading.
    const rest = postponed(last.boot.order) ? Number.MAX_SAFE_INTEGER : last.reading.seq;
    after = { order: last.boot.order, seq: rest };
  }
}
