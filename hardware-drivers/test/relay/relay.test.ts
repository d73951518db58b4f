import { describe, expect, it } from 'vitest';
import { driver } from '../../src/relay/relay.ts';
import {
  createMockHardware,
  createTestClock,
  describeActuatorDriver,
  silentLogger,
} from '../../src/testing/index.ts';

const api = { describe, it, expect };
const on = { action: 'on', args: { durationMs: 1_000 } };

describeActuatorDriver(api, { driver, component: { pins: { line: 22 }, config: {} }, on });
describeActuatorDriver(api, { driver, component: { pins: { line: 22 }, config: { activeLow: false } }, on });

describe('a relay that nothing is said of', () => {
  const wiring = driver.parseWiring({ pins: { line: 22 }, config: {} });

  it('is on at the low level, so that its guard writes the high one', async () => {
    const hardware = createMockHardware();
    expect(driver.safeOutputs(wiring, hardware)).toMatchObject([{ bcm: 22, safeValue: '1' }]);
    const clock = createTestClock();
    const relay = driver.create({ ...wiring, hardware, clock, logger: silentLogger });
    await relay.start();
    expect(hardware.gpio.level(22)).toBe('1');
    await clock.advance(500);
    await relay.run('on', { durationMs: 1_000 });
    expect(hardware.gpio.level(22)).toBe('0');
  });

  it('CMD-09 runs for an hour at most, and a day whatever is configured', () => {
    expect(driver.limits(wiring)).toEqual({ longestRunMs: 3_600_000, minimumOffMs: 500 });
    expect(() => driver.checkAction(wiring, 'on', { durationMs: 3_600_001 })).toThrow(/at most 3600000 ms/);
    expect(() => driver.parseWiring({ pins: { line: 22 }, config: { longestRunMs: 86_400_001 } })).toThrow(
      /longestRunMs/,
    );
    expect(() => driver.checkAction(wiring, 'on', {})).toThrow(/durationMs/);
  });

  it('rests between two runs', async () => {
    const hardware = createMockHardware();
    const clock = createTestClock();
    const relay = driver.create({ ...wiring, hardware, clock, logger: silentLogger });
    await relay.start();
    await expect(relay.run('on', { durationMs: 1_000 })).rejects.toMatchObject({
      code: 'MINIMUM_OFF_TIME',
      details: { retryAfterMs: 500 },
    });
  });
});
