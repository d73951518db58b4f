import type { OutputLine } from '@ares/hardware-drivers';
import { describe, expect, it } from 'vitest';
import { GuardError } from '../../src/ports/guard.ts';
import { until } from '../support/fake-clock.ts';
import { signOrder } from '../support/fake-cloud.ts';
import {
  type Bench,
  changeComponents,
  componentList,
  pump,
  startBench,
  tellComponentsChanged,
} from '../support/session-bench.ts';

/** Puts something before what a line does. */
function changeLine(bench: Bench, change: (line: OutputLine) => Partial<OutputLine>) {
  const { gpio } = bench.hardware;
  const open = gpio.openOutput.bind(gpio);
  gpio.openOutput = async (bcm, options) => {
    const line = await open(bcm, options);
    return { ...line, ...change(line) };
  };
}

/** Makes switching the pump on take this long, whatever aborts it; the line goes on at the end. */
function slowDown(bench: Bench, durationMs: number) {
  changeLine(bench, (line) => ({
    write: async (on) => {
      if (on) await new Promise<void>((resolve) => void bench.clock.after(durationMs, resolve));
      await line.write(on);
    },
  }));
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

describe('a run that is over before it is confirmed', () => {
  it('CMD-11 has failed when the driver was not done, and is not called overtaken', async () => {
    const bench = await startBench({ items: [] });
    slowDown(bench, 3_000);
    await attachPump(bench);
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 1_000 } }));
    await bench.advance(1_100);
    expect(bench.cloud.results).toMatchObject([
      { outcome: 'FAILED', code: 'DRIVER_FAILED', detail: expect.stringContaining('time was over') },
    ]);
    await bench.advance(10_000);
    expect(bench.pumpOn()).toBe(false);
    expect(bench.guard.armed.size).toBe(0);
  });

  it('CMD-11 is complete when it was on, and off now', async () => {
    const bench = await startBench({ items: [] });
    let reads = 0;
    changeLine(bench, (line) => ({
      read: async () => {
        const on = await line.read();
        // The driver's own look comes first, the agent's second.
        if (on && ++reads === 2) await new Promise<void>((resolve) => void bench.clock.after(200, resolve));
        return on;
      },
    }));
    await attachPump(bench);
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 100 } }));
    await bench.advance(400);
    expect(bench.cloud.results).toMatchObject([{ outcome: 'COMPLETED', verified: true }]);
    expect(bench.pumpOn()).toBe(false);
  });
});

describe('a driver that is slow to switch off', () => {
  /** The first "off" takes this long. */
  async function benchWithSlowOff(offMs: number): Promise<Bench> {
    const bench = await startBench({ items: [] });
    let slow = false;
    changeLine(bench, (line) => ({
      write: async (on) => {
        if (!on && slow) {
          slow = false;
          await new Promise<void>((resolve) => void bench.clock.after(offMs, resolve));
        }
        await line.write(on);
      },
    }));
    await attachPump(bench);
    await bench.cloud.order(bench.cloud.claims());
    slow = true;
    const stop = bench.cloud.claims({ action: 'stop' });
    bench.broker.deliver(stop.topic, await signOrder(stop));
    await bench.cloud.allOrdersRead();
    await bench.advance(1_010);
    // Past the driver, in time.
    expect(bench.pumpOn()).toBe(false);
    expect(bench.cloud.results.at(-1)).toMatchObject({ commandId: stop.jti, outcome: 'COMPLETED' });
    return bench;
  }
  const orderOn = async (bench: Bench) => {
    const on = bench.cloud.claims();
    bench.broker.deliver(on.topic, await signOrder(on));
    await bench.cloud.allOrdersRead();
    return on;
  };

  it('is waited for when it is done within a second', async () => {
    const bench = await benchWithSlowOff(1_500);
    const on = await orderOn(bench);
    await bench.advance(1_500);
    expect(bench.cloud.results.at(-1)).toMatchObject({ commandId: on.jti, outcome: 'COMPLETED' });
    expect(bench.pumpOn()).toBe(true);
    expect(bench.guard.armed.size).toBe(1);
  });

  it('obeys nothing but stop while it takes longer: its late "off" would end the run', async () => {
    const bench = await benchWithSlowOff(4_000);
    const on = await orderOn(bench);
    await bench.advance(1_500);
    expect(bench.cloud.results.at(-1)).toMatchObject({ commandId: on.jti, code: 'COMPONENT_ERROR' });
    expect(bench.pumpOn()).toBe(false);
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

  it('takes over a lease that ends while its renewal is on the way', async () => {
    const bench = await startBench();
    const arm = bench.guard.arm.bind(bench.guard);
    bench.guard.arm = async (...args) => {
      await new Promise<void>((resolve) => void bench.clock.after(200, resolve));
      await arm(...args);
    };
    const first = bench.cloud.claims({ args: { durationMs: 1_000 } });
    const renewal = bench.cloud.claims({ args: { durationMs: 1_000 } });
    await bench.cloud.order(first);
    await bench.advance(1_100);
    expect(bench.pumpOn()).toBe(true);
    await bench.cloud.order(renewal);
    await bench.advance(300);
    expect(bench.cloud.results.at(-1)).toMatchObject({ commandId: renewal.jti, outcome: 'COMPLETED' });
    expect(bench.pumpOn()).toBe(true);
    expect(bench.guard.armed.size).toBe(1);
    await bench.advance(1_000);
    expect(bench.pumpOn()).toBe(false);
  });

  it('a renewal that it cannot hold leaves the output to its former lease', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 5_000 } }));
    bench.guard.arm = () => Promise.reject(new GuardError('GUARD_REFUSED', 'the guard cannot write it'));
    bench.guard.disarm = async () => undefined;
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 60_000 } }));
    expect(bench.cloud.results.at(-1)).toMatchObject({ outcome: 'REJECTED', code: 'GUARD_UNAVAILABLE' });
    await bench.advance(5_100);
    expect(bench.pumpOn()).toBe(false);
    expect(bench.guard.calls.filter((call) => call.startsWith('expired'))).toHaveLength(1);
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

describe('an on that comes while the output is being switched off', () => {
  /** Holds every disarm until it is let go. */
  function holdDisarm(bench: Bench): () => void {
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const disarm = bench.guard.disarm.bind(bench.guard);
    bench.guard.disarm = async (id) => {
      await held;
      await disarm(id);
    };
    return letGo;
  }

  it('CMD-10 runs after that, with a lease of its own in the guard', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims());
    const letGo = holdDisarm(bench);
    const [stop, on] = [bench.cloud.claims({ action: 'stop' }), bench.cloud.claims()];
    for (const order of [stop, on]) bench.broker.deliver(order.topic, await signOrder(order));
    await bench.cloud.allOrdersRead();
    letGo();
    await until('it runs', () => bench.cloud.results.some(({ commandId }) => commandId === on.jti));
    expect(bench.cloud.results.at(-1)).toMatchObject({ commandId: on.jti, outcome: 'COMPLETED' });
    expect(bench.pumpOn()).toBe(true);
    expect(bench.guard.armed.size).toBe(1);
  });

  it('CMD-10 is refused when the component leaves', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims());
    const letGo = holdDisarm(bench);
    bench.components = componentList([], 2);
    await tellComponentsChanged(bench);
    await until('the pump is being switched off', () => !bench.pumpOn());
    const on = bench.cloud.claims();
    bench.broker.deliver(on.topic, await signOrder(on));
    await bench.advance(0);
    letGo();
    await until('it has its result', () => bench.cloud.results.some(({ commandId }) => commandId === on.jti));
    expect(bench.cloud.results.at(-1)).toMatchObject({ outcome: 'REJECTED' });
    expect(bench.pumpOn()).toBe(false);
  });
});

describe('the rest of a pump', () => {
  it('that is over soon is waited for', async () => {
    const bench = await startBench({ items: [{ ...pump, config: { minimumOffMs: 500 } }] });
    const order = bench.cloud.claims();
    await bench.cloud.order(order);
    expect(bench.cloud.results).toEqual([]);
    await bench.advance(510);
    expect(bench.cloud.results).toMatchObject([{ commandId: order.jti, outcome: 'COMPLETED' }]);
    expect(bench.guard.armed.size).toBe(1);
  });

  it('CMD-05 is not waited for beyond the end of the command', async () => {
    const bench = await startBench({ items: [{ ...pump, config: { minimumOffMs: 900 } }] });
    await bench.cloud.order(bench.cloud.claims({ exp: bench.clock.now() / 1_000 + 0.5 }));
    await bench.advance(2_000);
    expect(bench.cloud.results).toMatchObject([{ outcome: 'EXPIRED' }]);
    expect(bench.pumpOn()).toBe(false);
  });

  it('that is long refuses the command', async () => {
    const bench = await startBench({ items: [{ ...pump, config: { minimumOffMs: 60_000 } }] });
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.cloud.results).toMatchObject([{ outcome: 'REJECTED', code: 'LIMIT' }]);
  });
});

describe('a run that fails', () => {
  it('leaves those behind it their turn', async () => {
    const bench = await startBench({ items: [] });
    let failures = 1;
    changeLine(bench, (line) => ({
      write: async (on) => {
        if (on) await new Promise<void>((resolve) => void bench.clock.after(100, resolve));
        if (on && failures-- > 0) throw new Error('a loose wire');
        await line.write(on);
      },
    }));
    await attachPump(bench);
    const orders = [bench.cloud.claims(), bench.cloud.claims()];
    for (const order of orders) bench.broker.deliver(order.topic, await signOrder(order));
    await bench.cloud.allOrdersRead();
    await bench.advance(1_000);
    expect(bench.cloud.results.map(({ outcome }) => outcome)).toEqual(['FAILED', 'COMPLETED']);
    expect(bench.pumpOn()).toBe(true);
  });
});

async function attachPump(bench: Bench): Promise<void> {
  await changeComponents(bench, componentList([pump], 2));
}
