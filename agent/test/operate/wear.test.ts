import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Bench, dht22, pump, startBench } from '../support/session-bench.ts';

const HOUR_MS = 3_600_000;
const soil = { componentId: 3, componentType: 'soil-moisture', pins: {}, config: { channel: 0 } };
const cpu = { componentId: 4, componentType: 'cpu', pins: {}, config: {} };

/** Changes with each write to a file of the store. */
const stateOf = ({ dir }: Bench) =>
  readdirSync(dir).map((name) => {
    const { size, mtimeMs, ino } = statSync(join(dir, name));
    return `${name} ${ino} ${size} ${mtimeMs}`;
  });

/** Commits that wait for the card, and those that do not. */
function countCommits(bench: Bench): { synced: number; lazy: number } {
  const counts = { synced: 0, lazy: 0 };
  const outbox = bench.store.openOutbox(1);
  const { insertTicks, deleteStored } = outbox;
  outbox.insertTicks = (ticks) => {
    counts.synced += 1;
    return insertTicks(ticks);
  };
  outbox.deleteStored = (bootId, ranges) => {
    counts.lazy += 1;
    return deleteStored(bootId, ranges);
  };
  return counts;
}

describe('an hour of a device', () => {
  it('with nothing attached writes nothing to the card', async () => {
    const bench = await startBench({ items: [] });
    await bench.advance(60_000);
    const before = stateOf(bench);
    await bench.advance(HOUR_MS);
    expect(stateOf(bench)).toEqual(before);
  });

  it('with a greenhouse at the default rate commits four times a minute, and loses no reading', async () => {
    const bench = await startBench({ items: [dht22, pump, soil, cpu] });
    await bench.advance(60_000);
    const counts = countCommits(bench);
    const before = bench.cloud.stored.size;
    await bench.advance(HOUR_MS);
    expect(counts.synced).toBeLessThanOrEqual(60 * 5);
    expect(counts.lazy).toBeLessThanOrEqual(60 * 20);
    expect(bench.cloud.stored.size - before).toBeGreaterThan(720 * 6);
    expect(bench.session.status().outbox.dropped).toBe(0);
  });
});
