import { describe, expect, it } from 'vitest';
import { driver } from '../../src/led/led.ts';
import {
  createMockHardware,
  createTestClock,
  describeActuatorDriver,
  silentLogger,
} from '../../src/testing/index.ts';

const api = { describe, it, expect };
const on = { action: 'on', args: { durationMs: 1_000 } };

describeActuatorDriver(api, { driver, component: { pins: { line: 27 }, config: {} }, on });
describeActuatorDriver(api, { driver, component: { pins: { line: 27 }, config: { activeLow: true } }, on });

describeActuatorDriver(api, { driver, component: { pins: { line: 18 }, config: { pwm: true } }, on });
describeActuatorDriver(api, {
  driver,
  component: { pins: { line: 18 }, config: { pwm: true } },
  on: { action: 'brightness', args: { percent: 40, durationMs: 1_000 } },
});

describe('an LED told to go on without a time', () => {
  it('gets a lease of a day', () => {
    const wiring = driver.parseWiring({ pins: { line: 27 }, config: {} });
    expect(driver.checkAction(wiring, 'on', {})).toMatchObject({ leaseMs: 86_400_000, safe: false });
  });
});

describe('the brightness of an LED', () => {
  const wiring = (config: Record<string, unknown>) => driver.parseWiring({ pins: { line: 18 }, config });
  const lit = { percent: 40 };

  it('is set, reported and full again by "on"', async () => {
    const hardware = createMockHardware();
    const led = driver.create({
      ...wiring({ pwm: true }),
      hardware,
      clock: createTestClock(),
      logger: silentLogger,
    });
    await led.start();
    const values = async () => (await led.read()).map(({ value }) => value);
    expect(await values()).toEqual([0, 0]);
    await led.run('brightness', lit);
    expect(hardware.pwm.shareOf(18)).toBe(0.4);
    expect(await values()).toEqual([1, 40]);
    await led.run('on', {});
    expect(await values()).toEqual([1, 100]);
    await led.run('off', {});
    expect(await values()).toEqual([0, 0]);
    expect(hardware.gpio.openLines()).toEqual([]);
  });

  it('is refused before anything is done on a line that is only switched, with what to do', () => {
    expect(() => driver.checkAction(wiring({}), 'brightness', lit)).toThrow(
      /cannot do "brightness".*dtoverlay=pwm and set pwm to true/,
    );
    expect(driver.checkAction(wiring({ pwm: true }), 'brightness', lit)).toMatchObject({
      leaseMs: 86_400_000,
      safe: false,
    });
  });

  it('is 1 to 100, as 0 is off and needs no lease', () => {
    for (const percent of [0, 0.5, 101, Number.NaN, '40', null])
      expect(() => driver.checkAction(wiring({ pwm: true }), 'brightness', { percent })).toThrow(/percent/);
  });

  it('is not for an LED that is on at the low level: a generator switched off would leave it lit', () => {
    expect(() => wiring({ pwm: true, activeLow: true })).toThrow(/cannot have pwm/);
  });

  it('is made safe by a guard at the generator, not at the line', () => {
    const hardware = createMockHardware();
    expect(driver.safeOutputs(wiring({ pwm: true }), hardware)).toEqual([hardware.pwm.safeOutput(18)]);
    expect(driver.safeOutputs(wiring({}), hardware)).toEqual([hardware.gpio.safeOutput(18)]);
  });
});
