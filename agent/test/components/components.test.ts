import { describe, expect, it } from 'vitest';
import { until } from '../support/fake-clock.ts';
import { signOrder } from '../support/fake-cloud.ts';
import { createOddDrivers, odd, oddList } from '../support/odd-drivers.ts';
import {
  type Bench,
  changeComponents,
  componentList,
  dht22,
  pump,
  startBench,
  tellComponentsChanged,
} from '../support/session-bench.ts';

const healthOf = (bench: Bench, componentId: number) =>
  bench.session.status().components.find((one) => one.componentId === componentId);
const readingsOf = (bench: Bench, componentId: number) =>
  [...bench.cloud.stored.values()].filter((one) => one.componentId === componentId).length;

async function oddBench(items: Parameters<typeof oddList>[0]) {
  const bench = await startBench({ items: [] });
  const drivers = createOddDrivers();
  bench.drivers.registry = drivers.registry;
  await changeComponents(bench, oddList(items));
  return { bench, drivers };
}

describe('a driver that fails', () => {
  it.each([
    ['throws', 'the sensor is on fire'],
    ['hangs', 'did not answer within 15000 ms'],
    ['hangs-at-start', 'did not answer within 10000 ms'],
    ['missing', 'no driver for component type "missing"'],
  ])('that %s shows as the ERROR of its component, and its neighbour goes on', async (type, reason) => {
    const { bench } = await oddBench([odd(8, type), odd(9, 'works')]);
    await bench.advance(60_000);
    expect(healthOf(bench, 8)).toMatchObject({ status: 'ERROR', reason: expect.stringContaining(reason) });
    expect(healthOf(bench, 9)).toMatchObject({ status: 'OK' });
    expect(readingsOf(bench, 9)).toBeGreaterThan(40);
    expect(readingsOf(bench, 8)).toBe(0);
    const told = bench.cloud.telemetry.flatMap(({ health = [] }) => health);
    expect(told).toContainEqual(expect.objectContaining({ componentId: 8, status: 'ERROR' }));
  });

  it('says with its health how often it is read, where no cloud knows it by the type', async () => {
    const { bench } = await oddBench([odd(9, 'works')]);
    await bench.advance(20_000);
    const told = () => bench.cloud.telemetry.flatMap(({ health = [] }) => health);
    expect(told()).toContainEqual({ componentId: 9, status: 'OK', sampleIntervalMs: 1_000 });
    await changeComponents(bench, componentList([dht22], 3));
    await bench.advance(20_000);
    expect(told()).toContainEqual({ componentId: dht22.componentId, status: 'OK' });
  });

  it('is told to the cloud again in each birth', async () => {
    const { bench } = await oddBench([odd(8, 'throws')]);
    bench.broker.drop();
    await bench.advance(30_000);
    expect(bench.cloud.connection.at(-1)).toMatchObject({
      event: 'online',
      health: [{ componentId: 8, status: 'ERROR', reason: expect.stringContaining('fire') }],
    });
  });

  it('works again as soon as its part does, and says so at once', async () => {
    const { bench, drivers } = await oddBench([odd(8, 'throws')]);
    await bench.advance(20_000);
    drivers.broken = false;
    await bench.advance(60_000);
    expect(healthOf(bench, 8)).toMatchObject({ status: 'OK' });
    expect(readingsOf(bench, 8)).toBeGreaterThan(0);
    expect(drivers.stops).toBeGreaterThan(0);
  });

  it('is loaded again less and less often', async () => {
    const { bench, drivers } = await oddBench([odd(8, 'missing')]);
    await bench.advance(3_600_000);
    expect(drivers.loads.get('missing')).toBeGreaterThan(8);
    expect(drivers.loads.get('missing')).toBeLessThan(25);
  });
});

describe('when the components change on the server', () => {
  it('loads what came and stops what went, and nothing else', async () => {
    const { bench, drivers } = await oddBench([odd(8, 'works')]);
    expect(drivers.starts).toBe(1);
    await changeComponents(bench, oddList([odd(8, 'works'), odd(9, 'works')]));
    expect([drivers.starts, drivers.stops]).toEqual([2, 0]);
    await changeComponents(bench, oddList([odd(9, 'works')]));
    expect([drivers.starts, drivers.stops]).toEqual([2, 1]);
    expect(bench.session.status().components.map(({ componentId }) => componentId)).toEqual([9]);
  });

  it('waits with a command for a component that is only being attached', async () => {
    const bench = await startBench({ items: [dht22] });
    bench.components = componentList([dht22, pump], 2);
    let answer: () => void = () => undefined;
    bench.beforeFetch = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await tellComponentsChanged(bench);
    await until('the list is asked for', () => bench.fetches === 2);
    const order = bench.cloud.claims();
    bench.broker.deliver(order.topic, await signOrder(order));
    await bench.advance(1_000);
    expect(bench.cloud.results).toEqual([]);
    answer();
    await until('it ran', () => bench.pumpOn());
    expect(bench.cloud.results).toMatchObject([{ commandId: order.jti, outcome: 'COMPLETED' }]);
  });

  it('makes the output of a component that leaves safe before its driver is gone', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.pumpOn()).toBe(true);
    await changeComponents(bench, componentList([dht22]));
    expect(bench.pumpOn()).toBe(false);
    expect(bench.guard.calls.at(-1)).toBe('release 2');
    expect(bench.guard.armed.size).toBe(0);
  });

  it('gives a line to the next component after the former one let go of it', async () => {
    const bench = await startBench();
    await changeComponents(bench, componentList([{ ...pump, componentId: 5 }]));
    expect(healthOf(bench, 5)).toMatchObject({ status: 'OK' });
  });

  it('refuses two components on one pin, a reserved pin and a pin against the rules, and says which', async () => {
    const bench = await startBench();
    const rules = [{ componentType: 'pump', role: 'line', pins: [17, 22] }];
    await changeComponents(bench, {
      ...componentList([
        pump,
        { ...pump, componentId: 3 },
        { ...pump, componentId: 4, pins: { line: 1 } },
        { ...pump, componentId: 5, pins: { line: 23 } },
        { ...pump, componentId: 6, pins: { line: 22 } },
      ]),
      rules,
    });
    expect(healthOf(bench, 2)).toMatchObject({ status: 'OK' });
    expect(healthOf(bench, 3)).toMatchObject({
      status: 'ERROR',
      reason: expect.stringContaining('taken by pump'),
    });
    expect(healthOf(bench, 4)).toMatchObject({
      status: 'ERROR',
      reason: expect.stringContaining('reserved'),
    });
    expect(healthOf(bench, 5)).toMatchObject({
      status: 'ERROR',
      reason: expect.stringContaining('not allowed'),
    });
    expect(healthOf(bench, 6)).toMatchObject({ status: 'OK' });
    expect([...bench.hardware.gpio.openLines()].sort()).toEqual([17, 22]);
  });

  it('keeps working with the list of last time when the cloud cannot be asked after a restart', async () => {
    const bench = await startBench();
    bench.crash();
    bench.components = new Error('no network');
    bench.broker.refuse('NETWORK');
    await bench.restart();
    expect(healthOf(bench, 2)).toMatchObject({ status: 'OK' });
    expect(bench.session.status().outbox.rows).toBeGreaterThan(0);
    bench.components = componentList([dht22], 2);
    bench.broker.refuse();
    await bench.advance(60_000);
    expect(healthOf(bench, 2)).toBeUndefined();
  });

  it('learns what changed while it was not connected', async () => {
    const bench = await startBench();
    bench.broker.drop();
    bench.components = componentList([dht22], 2);
    await bench.advance(30_000);
    expect(healthOf(bench, 2)).toBeUndefined();
  });

  it('goes on with the next list after one that cannot be applied, and ends all the same', async () => {
    const bench = await startBench();
    await bench.cloud.order(bench.cloud.claims());
    await changeComponents(bench, { ...componentList([], 2), items: null as never });
    expect(bench.pumpOn()).toBe(true);
    await changeComponents(bench, componentList([pump, { ...pump, componentId: 3, pins: { line: 22 } }], 3));
    expect(healthOf(bench, 3)).toMatchObject({ status: 'OK' });
    await bench.session.stop('the test says so');
    expect(bench.pumpOn()).toBe(false);
  });

  it('does not take a list of last time for granted', async () => {
    const bench = await startBench();
    bench.store.openOutbox(1).saveDocument('components', { things: [] });
    bench.crash();
    await bench.restart();
    expect(healthOf(bench, 2)).toMatchObject({ status: 'OK' });
  });

  it('names no output to the guard that was released while its driver started', async () => {
    const bench = await startBench({ items: [] });
    const { gpio } = bench.hardware;
    const open = gpio.openOutput.bind(gpio);
    gpio.openOutput = async (bcm, options) => {
      await new Promise<void>((resolve) => void bench.clock.after(1_000, resolve));
      return open(bcm, options);
    };
    await changeComponents(bench, componentList([pump], 2));
    await changeComponents(bench, componentList([], 3));
    await bench.advance(5_000);
    expect(bench.guard.calls).toContain('release 2');
    expect(bench.guard.calls.slice(bench.guard.calls.indexOf('release 2'))).not.toContain('protect 2');
    expect([...bench.hardware.gpio.openLines()]).toEqual([]);
  });
});

describe('a change of state', () => {
  it('is reported at once even when the output is being read at that moment', async () => {
    const bench = await startBench({ items: [] });
    const { gpio } = bench.hardware;
    const open = gpio.openOutput.bind(gpio);
    let reading: Promise<void> | undefined;
    gpio.openOutput = async (bcm, options) => {
      const line = await open(bcm, options);
      const read = async () => {
        const level = await line.read();
        await reading;
        return level;
      };
      return { ...line, read };
    };
    await changeComponents(bench, componentList([pump], 2));
    let finish: () => void = () => undefined;
    reading = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await bench.advance(60_100);
    reading = undefined;
    await bench.cloud.order(bench.cloud.claims({ args: { durationMs: 60_000 } }));
    finish();
    await bench.advance(10);
    const states = [...bench.cloud.stored.values()].filter(({ metric }) => metric === 'state');
    expect(states.at(-1)).toMatchObject({ value: 1 });
  });
});

describe('the end of a session', () => {
  it('CMD-11 switches the pump off at once, whatever a neighbour does not let go of', async () => {
    const { bench } = await oddBench([odd(8, 'hangs-at-stop'), pump]);
    await bench.cloud.order(bench.cloud.claims());
    expect(bench.pumpOn()).toBe(true);
    bench.components = oddList([pump], 2);
    await tellComponentsChanged(bench);
    await until('the neighbour is told to stop', () => bench.fetches > 1);
    void bench.session.stop('the test says so');
    await bench.advance(100);
    expect(bench.pumpOn()).toBe(false);
    await bench.advance(5_000);
  });
});
