import { describe, expect, it } from 'vitest';
import { driver } from '../../src/pump/pump.ts';
import {
  createMockHardware,
  createTestClock,
  describeActuatorDriver,
  silentLogger,
} from '../../src/testing/index.ts';

const api = { describe, it, expect };
const on = { action: 'on', args: { durationMs: 1_000 } };

describeActuatorDriver(api, { driver, component: { pins: { line: 17 }, config: {} }, on });
describeActuatorDriver(api, { driver, component: { pins: { line: 17 }, config: { activeLow: true } }, on });

async function runningPump(config: Record<string, unknown>) {
  const hardware = createMockHardware();
  const clock = createTestClock();
  // A machine that has been on for a while: its clock alone is no rest.
  await clock.advance(3_600_000);
  const pump = driver.create({
    ...driver.parseWiring({ pins: { line: 17 }, config }),
    hardware,
    clock,
    logger: silentLogger,
  });
  await pump.start();
  return { hardware, clock, pump };
}

describe('the rest of a pump between two runs', () => {
  it('refuses a start before it is over, says when to try again, and allows it then', async () => {
    const { clock, hardware, pump } = await runningPump({ minimumOffMs: 3_000 });
    await clock.advance(3_000);
    await pump.run('on', { durationMs: 1_000 });
    await pump.run('off', {});
    await clock.advance(1_000);
    await expect(pump.run('on', { durationMs: 1_000 })).rejects.toMatchObject({
      code: 'MINIMUM_OFF_TIME',
      details: { retryAfterMs: 2_000 },
    });
    expect(hardware.gpio.level(17)).toBe('0');
    await clock.advance(2_000);
    await pump.run('on', { durationMs: 1_000 });
    expect(hardware.gpio.level(17)).toBe('1');
  });

  it('counts from start, because nobody knows for how long the pump was off', async () => {
    const { pump } = await runningPump({ minimumOffMs: 3_000 });
    await expect(pump.run('on', { durationMs: 1_000 })).rejects.toMatchObject({ code: 'MINIMUM_OFF_TIME' });
  });

  it('does not stand in the way of a renewal', async () => {
    const { clock, pump } = await runningPump({ minimumOffMs: 3_000 });
    await clock.advance(3_000);
    await pump.run('on', { durationMs: 1_000 });
    await pump.run('on', { durationMs: 1_000 });
  });

  it('counts a run that the guard ended', async () => {
    const { clock, hardware, pump } = await runningPump({ minimumOffMs: 3_000 });
    await clock.advance(3_000);
    await pump.run('on', { durationMs: 1_000 });
    await clock.advance(60_000);
    hardware.gpio.drive(17, '0');
    await expect(pump.run('on', { durationMs: 1_000 })).rejects.toMatchObject({ code: 'MINIMUM_OFF_TIME' });
  });
});

describe('CMD-09 the longest run of a pump', () => {
  const wiring = (config: Record<string, unknown>) => driver.parseWiring({ pins: { line: 17 }, config });

  it('is what the config says, never more than ten minutes', () => {
    expect(driver.limits(wiring({ longestRunMs: 2_000 })).longestRunMs).toBe(2_000);
    expect(() => wiring({ longestRunMs: 600_001 })).toThrow(/longestRunMs/);
    expect(() => driver.checkAction(wiring({ longestRunMs: 2_000 }), 'on', { durationMs: 2_001 })).toThrow(
      /at most 2000 ms/,
    );
    expect(() => driver.checkAction(wiring({}), 'on', {})).toThrow(/durationMs/);
  });
});
