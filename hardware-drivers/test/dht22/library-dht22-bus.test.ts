import { describe, expect, it } from 'vitest';
import { type DhtLibrary, openLibraryDht22Bus } from '../../src/dht22/library-dht22-bus.ts';
import { createTestClock, describeDht22Bus } from '../../src/testing/index.ts';
import { dhtLibrary } from '../support/dht-library-stand-in.ts';

const model = 'Raspberry Pi 4 Model B Rev 1.4';
const signal = new AbortController().signal;

/** A bus on a stand-in; the date runs with the monotonic clock until it is set. */
async function open() {
  const clock = createTestClock({ autoAdvance: true });
  let dateOffset = 1_800_000_000_000;
  const now = () => dateOffset + clock.monotonicMs();
  const bench = dhtLibrary(now);
  const bus = await openLibraryDht22Bus({ model, clock, now, load: async () => bench.library });
  return {
    bench,
    bus,
    clock,
    setDateBack: (byMs: number) => {
      dateOffset -= byMs;
    },
  };
}

describeDht22Bus({ describe, it, expect }, 'by a stand-in of node-dht-sensor', async () => {
  const { bench, bus, clock } = await open();
  return {
    bus,
    set: async (state) => {
      bench.state = state;
    },
    rest: () => clock.delay(2_000),
    [Symbol.asyncDispose]: async () => undefined,
  };
});

describe('values that node-dht-sensor keeps', () => {
  it('are waited out, by the clock and by the date that was set back meanwhile', async () => {
    const { bench, bus, clock, setDateBack } = await open();
    bench.state = { temperatureCelsius: 20, humidityPercent: 50 };
    await bus.query(4, signal);
    await clock.delay(2_900);
    setDateBack(2_000);
    bench.state = { temperatureCelsius: 21, humidityPercent: 50 };
    expect(await bus.query(4, signal)).toMatchObject({ temperatureCelsius: 21 });
    setDateBack(1_000_000);
    bench.state = { temperatureCelsius: 22, humidityPercent: 50 };
    expect(await bus.query(4, signal)).toMatchObject({ temperatureCelsius: 22 });
  });

  it('hold no query that is given up', async () => {
    const { bench, bus } = await open();
    bench.state = { temperatureCelsius: 20, humidityPercent: 50 };
    await bus.query(4, signal);
    const call = new AbortController();
    call.abort(new Error('given up'));
    await expect(bus.query(4, call.signal)).rejects.toThrow('given up');
    expect(bench.reads).toEqual([4]);
  });
});

describe('node-dht-sensor', () => {
  it('makes one attempt a query, as its own come too soon for the sensor', async () => {
    expect((await open()).bench.retries).toBe(0);
  });

  it.each([
    'Raspberry Pi 5 Model B Rev 1.0',
    'Raspberry Pi 500 Rev 1.0',
    'Raspberry Pi Compute Module 5 Rev 1.0',
    'Radxa ROCK 5B',
    undefined,
  ])('is not even loaded on %s', async (other) => {
    let loaded = false;
    const load = async () => {
      loaded = true;
      return dhtLibrary(Date.now).library;
    };
    const opening = openLibraryDht22Bus({ model: other, clock: createTestClock(), now: Date.now, load });
    await expect(opening).rejects.toMatchObject({ code: 'HARDWARE_MISSING' });
    expect(loaded).toBe(false);
  });

  it.each([
    'Raspberry Pi Model B Plus Rev 1.2',
    'Raspberry Pi Zero 2 W Rev 1.0',
    'Raspberry Pi 3 Model B Plus Rev 1.3',
    'Raspberry Pi 400 Rev 1.0',
    'Raspberry Pi Compute Module 4 Rev 1.0',
  ])('is used on %s', async (other) => {
    const load = async () => dhtLibrary(Date.now).library;
    await openLibraryDht22Bus({ model: other, clock: createTestClock(), now: Date.now, load });
  });

  it('says what to look at when it may not touch the lines', async () => {
    const library: DhtLibrary = {
      setMaxRetries: () => undefined,
      read: (_type, _bcm, done) => done(new Error('failed to initialize sensor'), 0, 0),
    };
    const bus = await openLibraryDht22Bus({
      model,
      clock: createTestClock(),
      now: Date.now,
      load: async () => library,
    });
    await expect(bus.query(4, signal)).rejects.toMatchObject({
      code: 'HARDWARE_MISSING',
      message: expect.stringContaining('/dev/gpiomem'),
    });
  });

  it('says so when it is not installed', async () => {
    const load = async () => Promise.reject(new Error('Cannot find package'));
    const opening = openLibraryDht22Bus({ model, clock: createTestClock(), now: Date.now, load });
    await expect(opening).rejects.toMatchObject({ code: 'HARDWARE_MISSING' });
  });
});
