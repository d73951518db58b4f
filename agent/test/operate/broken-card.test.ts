import { describe, expect, it } from 'vitest';
import { type Bench, startBench } from '../support/session-bench.ts';

/** From here on no database takes anything; the answer lets it be written again. */
function makeReadOnly({ store }: Bench): () => void {
  const { journal } = store;
  const outbox = store.openOutbox(1);
  const { insertTicks } = outbox;
  const { receive, acting, finish } = journal;
  const refuse = () => {
    throw Object.assign(new Error('attempt to write a readonly database'), { errcode: 8 });
  };
  Object.assign(outbox, { insertTicks: refuse });
  Object.assign(journal, { receive: refuse, acting: refuse, finish: refuse });
  return () => {
    Object.assign(outbox, { insertTicks });
    Object.assign(journal, { receive, acting, finish });
  };
}

describe('a card that can only be read any more', () => {
  it('FSP-04 switches off what runs and nothing on, says why, and goes on when it can be written again', async () => {
    const bench = await startBench();
    const { cloud } = bench;
    await cloud.order(cloud.claims({ seq: 1 }));
    expect(bench.pumpOn()).toBe(true);
    const repair = makeReadOnly(bench);

    await cloud.order(cloud.claims({ seq: 2, action: 'stop' }));
    expect(bench.pumpOn()).toBe(false);
    await cloud.order(cloud.claims({ seq: 3 }));
    expect(bench.pumpOn()).toBe(false);
    await bench.advance(60_000);
    for (const what of ['readings cannot be stored', 'command cannot be recorded'])
      expect(bench.log.some((line) => line.includes(what) && line.includes('readonly'))).toBe(true);

    repair();
    const before = cloud.stored.size;
    await bench.advance(120_000);
    expect(cloud.stored.size).toBeGreaterThan(before);
    await cloud.order(cloud.claims({ seq: 4 }));
    expect(bench.pumpOn()).toBe(true);
  });
});
