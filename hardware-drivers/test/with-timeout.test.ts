import { describe, expect, it } from 'vitest';
import { withTimeout } from '../src/index.ts';
import { createTestClock } from '../src/testing/index.ts';
import { sensorWith } from './support/drivers.ts';

describe('a driver that never answers', () => {
  it('is given up after the time-out, and its neighbour reads on', async () => {
    const clock = createTestClock();
    const silent = sensorWith({ read: () => new Promise(() => undefined) });
    const neighbour = sensorWith({ read: () => [{ metric: 'level', value: 7 }] });
    await silent.start();
    await neighbour.start();
    const options = { clock, timeoutMs: 10_000, what: 'probe 1' };
    const reading = withTimeout(options, (signal) => silent.read(signal));
    expect(await withTimeout(options, (signal) => neighbour.read(signal))).toMatchObject([{ value: 7 }]);
    const givenUp = expect(reading).rejects.toMatchObject({
      code: 'TIMED_OUT',
      message: 'probe 1 did not answer within 10000 ms',
    });
    await clock.advance(10_000);
    await givenUp;
    await silent.stop();
  });
});

describe('a call with a time-out', () => {
  it('tells the driver to end before giving up', async () => {
    const clock = createTestClock();
    let told: unknown;
    const call = withTimeout({ clock, timeoutMs: 5, what: 'part' }, async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      told = signal.reason;
    });
    const givenUp = expect(call).rejects.toMatchObject({ code: 'TIMED_OUT' });
    await clock.advance(5);
    await givenUp;
    expect(told).toMatchObject({ code: 'TIMED_OUT' });
  });

  it('passes on the result, the error, and the abort of its caller', async () => {
    const clock = createTestClock();
    const options = { clock, timeoutMs: 5, what: 'part' };
    expect(await withTimeout(options, async () => 1)).toBe(1);
    await expect(withTimeout(options, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    const caller = new AbortController();
    const call = withTimeout({ ...options, signal: caller.signal }, () => new Promise(() => undefined));
    caller.abort(new Error('stopped'));
    await expect(call).rejects.toThrow('stopped');
  });
});
