import { describe, expect, it } from 'vitest';
import type { OutputLine } from '../src/index.ts';
import { actuatorWith, sensorWith } from './support/drivers.ts';

describe('a sensor whose driver is wrong', () => {
  it.each([
    ['a name it did not declare', [{ metric: 'other', value: 1 }], 'MEASUREMENT_INVALID'],
    ['a name of Object.prototype', [{ metric: 'constructor', value: 1 }], 'MEASUREMENT_INVALID'],
    ['NaN', [{ metric: 'level', value: Number.NaN }], 'MEASUREMENT_INVALID'],
    ['a string', [{ metric: 'level', value: '5' }], 'MEASUREMENT_INVALID'],
    ['no list', undefined, 'MEASUREMENT_INVALID'],
    ['a value above the range', [{ metric: 'level', value: 100.1 }], 'OUT_OF_RANGE'],
    ['a value below the range', [{ metric: 'level', value: -0.1 }], 'OUT_OF_RANGE'],
  ])('and reads %s is refused', async (_, values, code) => {
    const sensor = sensorWith({ read: () => values as never });
    await sensor.start();
    await expect(sensor.read()).rejects.toMatchObject({ code });
  });
});

describe('a driver that throws', () => {
  it('hands its error to the caller and goes on', async () => {
    let reads = 0;
    const sensor = sensorWith({
      read: () => {
        reads += 1;
        if (reads === 1) throw new Error('wire fell off');
        return [{ metric: 'level', value: 7 }];
      },
    });
    await sensor.start();
    await expect(sensor.read()).rejects.toThrow('wire fell off');
    expect(await sensor.read()).toEqual([{ metric: 'level', value: 7, quality: 'good' }]);
  });

  it('in its start has given everything back', async () => {
    let stops = 0;
    const sensor = sensorWith({
      start: () => {
        throw new Error('not wired');
      },
      read: () => [],
      stop: () => {
        stops += 1;
      },
    });
    await expect(sensor.start()).rejects.toThrow('not wired');
    expect(stops).toBe(1);
    await expect(sensor.read()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });
});

describe('a stop that overtakes', () => {
  it('a run leaves the output off, although the run switches it on afterwards', async () => {
    let proceed = () => {};
    const { actuator, hardware } = actuatorWith(({ hardware, pins }) => {
      let line: OutputLine;
      return {
        start: async () => {
          line = await hardware.gpio.openOutput(pins.line);
        },
        on: async () => {
          await new Promise<void>((resolve) => {
            proceed = resolve;
          });
          // A driver that ignores its signal and does not ask its line.
          line = await hardware.gpio.openOutput(pins.line, { initial: true });
        },
        stop: async () => line.close(),
      };
    });
    await actuator.start();
    const running = actuator.run('on', { durationMs: 1_000 });
    await actuator.stop();
    proceed();
    await running;
    expect(hardware.gpio.level(17)).toBe('0');
    expect(hardware.gpio.openLines()).toEqual([]);
  });

  it('a start closes what the start opens afterwards', async () => {
    let proceed = () => {};
    const { actuator, hardware } = actuatorWith(({ hardware, pins }) => {
      let line: OutputLine | undefined;
      return {
        start: async () => {
          await new Promise<void>((resolve) => {
            proceed = resolve;
          });
          line = await hardware.gpio.openOutput(pins.line, { initial: true });
        },
        stop: async () => line?.close(),
      };
    });
    const starting = actuator.start();
    await actuator.stop();
    proceed();
    await starting;
    expect(hardware.gpio.level(17)).toBe('0');
    expect(hardware.gpio.openLines()).toEqual([]);
  });

  it('ends a read that waits for its signal, and so does the caller', async () => {
    const hang = (signal: AbortSignal) =>
      new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    const sensor = sensorWith({ read: hang });
    await sensor.start();
    const caller = new AbortController();
    const first = sensor.read(caller.signal);
    caller.abort(new Error('no longer wanted'));
    await expect(first).rejects.toThrow('no longer wanted');
    const second = sensor.read();
    await sensor.stop();
    await expect(second).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });
});
