import { describe, expect, it } from 'vitest';
import { until } from '../support/fake-clock.ts';
import { signOrder } from '../support/fake-cloud.ts';
import { type Bench, changeComponents, componentList, pump, startBench } from '../support/session-bench.ts';

/** Makes switching the pump on take this long, whatever aborts it; the line goes on at the end. */
function slowDown(bench: Bench, durationMs: number) {
  const { gpio } = bench.hardware;
  const open = gpio.openOutput.bind(gpio);
  gpio.openOutput = async (bcm, options) => {
    const line = await open(bcm, options);
    return {
      ...line,
      write: async (on) => {
        if (on) await new Promise<void>((resolve) => void bench.clock.after(durationMs, resolve));
        await line.write(on);
      },
    };
  };
}

describe('stop', () => {
  it('CMD-10 wins over a run at work and over everything that waits', async () => {
    const bench = await startBench({ items: [] });
    slowDown(bench, 3_000);
    await attachPump(bench);
    const [first, second, stop] = [
      bench.cloud.claims({ seq: 10 }),
      bench.cloud.claims({ seq: 11 }),
      bench.cloud.claims({ seq: 12, action: 'stop' }),
    ];
    bench.broker.deliver(first.topic, await signOrder(first));
    bench.broker.deliver(second.topic, await signOrder(second));
    await bench.cloud.allOrdersRead();
    expect(bench.cloud.results).toEqual([]);
    bench.broker.deliver(stop.topic, await signOrder(stop));
    await bench.cloud.allOrdersRead();
    await bench.advance(10_000);
    const outcome = (id: string) => bench.cloud.results.find(({ commandId }) => commandId === id)?.outcome;
    expect([outcome(first.jti), outcome(second.jti), outcome(stop.jti)]).toEqual([
      'STALE',
      'STALE',
      'COMPLETED',
    ]);
    expect(bench.pumpOn()).toBe(false);
  });

  it('CMD-10 is done within a quarter of a second even when the run does not let go', async () => {
    const bench = await startBench({ items: [] });
    slowDown(bench, 60_000);
    await attachPump(bench);
    const on = bench.cloud.claims();
    bench.broker.deliver(on.topic, await signOrder(on));
    await bench.cloud.allOrdersRead();
    const stop = bench.cloud.claims({ action: 'stop' });
    bench.broker.deliver(stop.topic, await signOrder(stop));
    await bench.cloud.allOrdersRead();
    await bench.advance(250);
    expect(bench.cloud.results).toContainEqual(
      expect.objectContaining({ commandId: stop.jti, outcome: 'COMPLETED', verified: true }),
    );
    await bench.advance(120_000);
    expect(bench.pumpOn()).toBe(false);
    // The driver that hung was started again, and obeys.
    const next = bench.cloud.claims();
    bench.broker.deliver(next.topic, await signOrder(next));
    await bench.cloud.allOrdersRead();
    expect(bench.cloud.results.map(({ commandId }) => commandId)).not.toContain(next.jti);
  });

  it('CMD-10 runs one command after the other, and no more than it can hold', async () => {
    const bench = await startBench({ items: [] });
    slowDown(bench, 1_000);
    await attachPump(bench);
    const orders = Array.from({ length: 12 }, () => bench.cloud.claims({ args: { durationMs: 60_000 } }));
    for (const order of orders) bench.broker.deliver(order.topic, await signOrder(order));
    await bench.cloud.allOrdersRead();
    expect(bench.cloud.results.filter(({ code }) => code === 'BUSY')).toHaveLength(4);
    await bench.advance(2_500);
    expect(bench.cloud.results.filter(({ outcome }) => outcome === 'COMPLETED')).toHaveLength(2);
  });
});

describe('a driver or line that fails', () => {
  it('CMD-11 a run that throws or hangs ends in the safe state and says FAILED', async () => {
    const bench = await startBench({ items: [] });
    slowDown(bench, 3_600_000);
    await attachPump(bench);
    await bench.cloud.order(bench.cloud.claims());
    await bench.advance(6_000);
    expect(bench.cloud.results).toMatchObject([{ outcome: 'FAILED', code: 'DRIVER_FAILED' }]);
    expect(bench.pumpOn()).toBe(false);
    expect(bench.guard.armed.size).toBe(0);
  });

  it('CMD-11 an output that stays on is reported, and its level written past the driver', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims());
    bench.hardware.gpio.stick(17);
    await bench.cloud.order(bench.cloud.claims({ action: 'stop' }));
    expect(bench.guard.calls).toContain('makeSafe');
    expect(bench.cloud.results.at(-1)).not.toHaveProperty('verified', true);
  });
});

describe('the guard', () => {
  it('holds a lease before the output goes on, for as long as the lease', async () => {
    const bench = await startBench();
    let levelAtArm: boolean | undefined;
    const arm = bench.guard.arm;
    bench.guard.arm = async (...args) => {
      await arm(...args);
      levelAtArm = bench.pumpOn();
    };
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 7_000 } }));
    expect(levelAtArm).toBe(false);
    expect(bench.guard.calls).toContain('arm 2 7000');
    expect(bench.pumpOn()).toBe(true);
  });

  it('CMD-11 is lost: the output goes off, and nothing goes on without it', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims());
    bench.guard.lose();
    await bench.advance(0);
    expect(bench.pumpOn()).toBe(false);
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.cloud.results.at(-1)).toMatchObject({ outcome: 'REJECTED', code: 'GUARD_UNAVAILABLE' });
    expect(bench.pumpOn()).toBe(false);
    bench.guard.comeBack();
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.pumpOn()).toBe(true);
  });

  it('a renewal refused in its last look leaves the running lease as it was', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 5_000 } }));
    const arm = bench.guard.arm.bind(bench.guard);
    bench.guard.arm = async (...args) => {
      bench.guard.arm = arm;
      await arm(...args);
      await bench.clock.advance(2_000);
    };
    await bench.cloud.order(
      bench.cloud.claims({ args: { durationMs: 60_000 }, exp: bench.clock.now() / 1_000 + 1 }),
    );
    await until('it has its result', () => bench.cloud.results.length > 1);
    expect(bench.cloud.results.at(-1)).toMatchObject({ outcome: 'EXPIRED' });
    expect(bench.pumpOn()).toBe(true);
    await bench.advance(3_100);
    expect(bench.pumpOn()).toBe(false);
  });
});

async function attachPump(bench: Bench): Promise<void> {
  await changeComponents(bench, componentList([pump], 2));
}
