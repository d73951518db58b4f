import { createDriverRegistry } from '@ares/hardware-drivers';
import { MAX_SIGNED_MESSAGE_BYTES } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { until } from '../support/fake-clock.ts';
import { signOrder } from '../support/fake-cloud.ts';
import { changeComponents, componentList, pump, startBench } from '../support/session-bench.ts';

const armed = (bench: { guard: { calls: string[] } }) =>
  bench.guard.calls.filter((call) => call.startsWith('arm '));

describe('time', () => {
  it('CMD-05 refuses what comes 1 ms after its end, and 10 min late from a queue', async () => {
    const bench = await startBench();
    const late = bench.cloud.claims({ exp: bench.clock.now() / 1_000 });
    await bench.cloud.order(late);
    const queued = bench.cloud.claims();
    const token = await signOrder(queued);
    await bench.advance(600_000);
    bench.broker.deliver(queued.topic, token);
    await bench.cloud.allOrdersRead();
    expect(bench.cloud.results).toMatchObject([
      { commandId: late.jti, outcome: 'EXPIRED', code: 'EXPIRED' },
      { commandId: queued.jti, outcome: 'EXPIRED' },
    ]);
    expect(armed(bench)).toEqual([]);
  });

  it('CMD-05 looks at the time again after it was recorded and waited for its turn', async () => {
    const bench = await startBench();
    const arm = bench.guard.arm.bind(bench.guard);
    // The guard takes its time: the command expires while it waits for it.
    bench.guard.arm = async (...args) => {
      await arm(...args);
      await bench.advance(2_000);
    };
    const claims = bench.cloud.claims({ exp: bench.clock.now() / 1_000 + 1 });
    await bench.cloud.order(claims);
    await until('it has its result', () => bench.cloud.results.length > 0);
    expect(bench.cloud.results).toMatchObject([{ outcome: 'EXPIRED' }]);
    expect(bench.pumpOn()).toBe(false);
    expect(bench.guard.armed.size).toBe(0);
  });

  it('CMD-12 obeys only stop and off until the clock is set and agrees with the cloud', async () => {
    const bench = await startBench({ synchronised: false });
    await bench.cloud.order(bench.cloud.claims());
    await bench.cloud.order(bench.cloud.claims({ action: 'stop', exp: 1, iat: 1 }));
    expect(bench.cloud.results).toMatchObject([
      { outcome: 'REJECTED', code: 'CLOCK_UNTRUSTED' },
      { outcome: 'COMPLETED', verified: true },
    ]);
    expect(bench.cloud.results.every(({ at }) => at === undefined)).toBe(true);
  });

  it('CMD-12 believes the clock from the answer to its birth on', async () => {
    const bench = await startBench({ items: [] });
    bench.cloud.answering = false;
    await changeComponents(bench, componentList([pump], 2));
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.cloud.results).toMatchObject([{ code: 'CLOCK_UNTRUSTED' }]);
    bench.cloud.acknowledge({ bootId: bench.session.status().bootId });
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.cloud.results.at(-1)).toMatchObject({ outcome: 'COMPLETED' });
  });

  it('CMD-12 does not believe an answer to another boot', async () => {
    const bench = await startBench({ items: [] });
    bench.cloud.answering = false;
    await changeComponents(bench, componentList([pump], 2));
    bench.cloud.acknowledge({ bootId: '0'.repeat(32) });
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.cloud.results).toMatchObject([{ code: 'CLOCK_UNTRUSTED' }]);
  });

  it.each([
    ['1970', -1_795_165_200_000],
    ['a year ahead', 31_536_000_000],
    ['61 s ahead', 61_000],
  ])('CMD-12 refuses with the clock at %s, and obeys again when it is right', async (_where, offMs) => {
    const bench = await startBench();
    const right = bench.clock.now();
    const claims = bench.cloud.claims({ exp: right / 1_000 + 40_000_000 });
    bench.clock.setWall(right + offMs);
    await bench.cloud.order(claims);
    expect(bench.cloud.results).toMatchObject([{ outcome: 'REJECTED', code: 'CLOCK_UNTRUSTED' }]);
    bench.clock.setWall(right);
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.cloud.results.at(-1)).toMatchObject({ outcome: 'COMPLETED' });
  });

  it('CMD-12 refuses what was issued more than a minute ahead of its clock', async () => {
    const bench = await startBench();
    const seconds = bench.clock.now() / 1_000;
    await bench.cloud.order(bench.cloud.claims({ iat: seconds + 61, exp: seconds + 120 }));
    expect(bench.cloud.results).toMatchObject([{ outcome: 'REJECTED', code: 'CLOCK_UNTRUSTED' }]);
    await bench.cloud.order(bench.cloud.claims({ iat: seconds + 59, exp: seconds + 120 }));
    expect(bench.cloud.results.at(-1)).toMatchObject({ outcome: 'COMPLETED' });
  });
});

describe('at most once', () => {
  it('CMD-06 runs a command once, delivered twice, a hundred times, and after a restart', async () => {
    const bench = await startBench();
    const claims = bench.cloud.claims();
    const token = await signOrder(claims);
    for (let i = 0; i < 100; i++) bench.broker.deliver(claims.topic, token);
    await bench.cloud.allOrdersRead();
    await bench.cloud.order(claims);
    expect(armed(bench)).toHaveLength(1);
    const first = bench.cloud.results[0];
    expect(new Set(bench.cloud.results.map((result) => JSON.stringify(result)))).toEqual(
      new Set([JSON.stringify(first)]),
    );

    bench.crash();
    await bench.restart();
    const before = bench.cloud.results.length;
    await bench.cloud.order(claims);
    expect(armed(bench)).toEqual([]);
    expect(bench.pumpOn()).toBe(false);
    expect(bench.cloud.results.slice(before)).toEqual([first]);
  });

  it('CMD-08 refuses an on(10) that comes after stop(11), also after a restart', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims({ action: 'stop', seq: 11 }));
    await bench.cloud.order(bench.cloud.claims({ seq: 10 }));
    await bench.cloud.order(bench.cloud.claims({ seq: 11 }));
    bench.crash();
    await bench.restart();
    await bench.cloud.order(bench.cloud.claims({ seq: 9 }));
    expect(bench.cloud.results.map(({ outcome }) => outcome)).toEqual([
      'COMPLETED',
      'STALE',
      'STALE',
      'STALE',
    ]);
    expect(armed(bench)).toEqual([]);
    await bench.cloud.order(bench.cloud.claims({ seq: 12 }));
    expect(bench.pumpOn()).toBe(true);
  });

  it('CMD-08 counts a refused command too, and lets a late stop pass', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims({ seq: 20, args: {} }));
    await bench.cloud.order(bench.cloud.claims({ seq: 15 }));
    await bench.cloud.order(bench.cloud.claims({ seq: 14, action: 'stop' }));
    expect(bench.cloud.results.map(({ outcome }) => outcome)).toEqual(['REJECTED', 'STALE', 'COMPLETED']);
  });

  it('CMD-08 refuses what is older than a stop that a full disk would not record', async () => {
    const bench = await startBench();
    const { receive } = bench.store.journal;
    bench.store.journal.receive = () => {
      throw new Error('database or disk is full');
    };
    await bench.cloud.order(bench.cloud.claims({ seq: 11, action: 'stop' }));
    bench.store.journal.receive = receive;
    await bench.cloud.order(bench.cloud.claims({ seq: 10 }));
    expect(bench.cloud.results.map(({ outcome }) => outcome)).toEqual(['COMPLETED', 'STALE']);
    await bench.cloud.order(bench.cloud.claims({ seq: 12 }));
    expect(bench.pumpOn()).toBe(true);
  });

  it('tells many long results in messages that the broker takes, one after the other', async () => {
    const bench = await startBench();
    bench.broker.drop();
    for (let i = 0; i < 150; i++) {
      const commandId = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
      const refused = { commandId, outcome: 'FAILED', detail: '€'.repeat(500) } as const;
      bench.store.journal.receive({ commandId, assignment: 1, componentId: 2, seq: i + 1, refused });
    }
    const before = bench.broker.published.length;
    await bench.advance(30_000);
    expect(new Set(bench.cloud.results.map(({ commandId }) => commandId)).size).toBe(150);
    const sizes = bench.broker.published.slice(before).map(({ payload }) => payload.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_SIGNED_MESSAGE_BYTES);
  });

  it('CMD-06 keeps a result until the cloud has it, over restarts', async () => {
    const bench = await startBench();
    await bench.advance(1_000);
    bench.cloud.answering = false;
    const claims = bench.cloud.claims();
    await bench.cloud.order(claims);
    const sent = () => bench.cloud.results.filter(({ commandId }) => commandId === claims.jti).length;
    expect(sent()).toBe(1);
    await bench.advance(60_000);
    expect(sent()).toBeGreaterThan(1);
    bench.crash();
    await bench.restart();
    const before = sent();
    expect(before).toBeGreaterThan(2);
    bench.cloud.answering = true;
    await bench.advance(3_600_000);
    const after = sent();
    await bench.advance(3_600_000);
    expect(sent()).toBe(after);
    expect(bench.store.journal.unacknowledged(1, 10)).toEqual([]);
  });
});

describe('killed between recorded, acting and stored', () => {
  it.each(['received', 'acting', 'finish'] as const)(
    'CMD-07 power lost at "%s": never run twice, the cloud is told, the output is safe',
    async (step) => {
      const bench = await startBench();
      const { journal } = bench.store;
      const cut = () => {
        bench.crash();
        throw new Error('power lost');
      };
      if (step === 'received') {
        const receive = journal.receive;
        journal.receive = (command) => {
          receive(command);
          return cut();
        };
      } else if (step === 'acting') {
        const acting = journal.acting;
        journal.acting = (id) => {
          acting(id);
          cut();
        };
      } else journal.finish = cut;
      const claims = bench.cloud.claims();
      bench.broker.deliver(claims.topic, await signOrder(claims));
      await bench.advance(50).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 30));
      await bench.advance(0);
      expect(bench.broker.connected).toBe(false);

      await bench.restart();
      expect(bench.pumpOn()).toBe(false);
      expect(bench.cloud.results).toMatchObject([
        { commandId: claims.jti, outcome: 'UNKNOWN', code: 'POWER_LOST' },
      ]);
      await bench.cloud.order(claims);
      expect(bench.pumpOn()).toBe(false);
      expect(armed(bench)).toEqual([]);
      expect(bench.cloud.results.every(({ outcome }) => outcome === 'UNKNOWN')).toBe(true);
    },
  );
});

describe('schema and limits', () => {
  it.each([0, -1, 1e9, 0.5, '10000', null, undefined, true, [10_000]])(
    'CMD-09 refuses a duration of %j',
    async (durationMs) => {
      const bench = await startBench();
      await bench.cloud.order(bench.cloud.claims({ args: { durationMs } }));
      expect(bench.cloud.results[0]).toMatchObject({ outcome: 'REJECTED' });
      expect(['BAD_ARGUMENTS', 'LIMIT']).toContain(bench.cloud.results[0]?.code);
      expect(armed(bench)).toEqual([]);
    },
  );

  it('CMD-09 refuses unknown actions, foreign arguments and what is not attached', async () => {
    const bench = await startBench();
    const { cloud } = bench;
    await cloud.order(cloud.claims({ action: 'explode', args: {} }));
    await cloud.order(cloud.claims({ action: 'constructor', args: {} }));
    await cloud.order(cloud.claims({ args: { durationMs: 1_000, speed: 9 } }));
    await cloud.order(cloud.claims({ componentId: 77 }));
    await cloud.order(cloud.claims({ componentType: 'led' }));
    await cloud.order(cloud.claims({ componentId: 1, componentType: 'dht22' }));
    expect(cloud.results.map(({ code }) => code)).toEqual([
      'UNKNOWN_ACTION',
      'UNKNOWN_ACTION',
      'BAD_ARGUMENTS',
      'NOT_ATTACHED',
      'NOT_ATTACHED',
      'COMPONENT_ERROR',
    ]);
  });

  it('CMD-09 bounds all renewals together by the longest run, counted from the first on', async () => {
    const bench = await startBench({
      items: [{ ...pump, config: { longestRunMs: 30_000, minimumOffMs: 0 } }],
    });
    const { cloud } = bench;
    const on = () => cloud.order(cloud.claims({ args: { durationMs: 20_000 } }));
    await on();
    await bench.advance(9_000);
    await on();
    await bench.advance(9_000);
    await on();
    expect(cloud.results.map(({ code, outcome }) => code ?? outcome)).toEqual([
      'COMPLETED',
      'COMPLETED',
      'LIMIT',
    ]);
    await bench.advance(10_900);
    expect(bench.pumpOn()).toBe(true);
    await bench.advance(200);
    expect(bench.pumpOn()).toBe(false);
    await bench.advance(1_000);
    await on();
    expect(cloud.results.at(-1)).toMatchObject({ outcome: 'COMPLETED' });
  });
});

describe('stop', () => {
  it('CMD-10 is obeyed past a driver that does not work', async () => {
    const bench = await startBench();
    bench.drivers.registry = { types: [], load: () => Promise.reject(new Error('its file is gone')) };
    bench.hardware.gpio.openOutput = () => Promise.reject(new Error('the line is taken'));
    await changeComponents(bench, componentList([{ ...pump, config: { minimumOffMs: 1 } }], 2));
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.cloud.results.at(-1)).toMatchObject({ outcome: 'REJECTED', code: 'COMPONENT_ERROR' });
    bench.drivers.registry = createDriverRegistry();
    await bench.advance(10_000);
    bench.hardware.gpio.drive(17, '1');
    await bench.cloud.order(bench.cloud.claims({ action: 'stop' }));
    expect(bench.cloud.results.at(-1)).toMatchObject({
      outcome: 'COMPLETED',
      detail: expect.stringContaining('past'),
    });
    expect(bench.pumpOn()).toBe(false);
  });
});

describe('when the journal was damaged', () => {
  it('obeys only stop, and says why', async () => {
    const bench = await startBench();
    Object.defineProperty(bench.store.journal, 'damaged', { value: 'device.db was damaged' });
    await bench.cloud.order(bench.cloud.claims());
    await bench.cloud.order(bench.cloud.claims({ action: 'off' }));
    expect(bench.cloud.results).toMatchObject([
      { outcome: 'REJECTED', code: 'COMPONENT_ERROR', detail: expect.stringContaining('damaged') },
      { outcome: 'COMPLETED' },
    ]);
  });
});
