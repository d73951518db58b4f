import { describe, expect, it } from 'vitest';
import { driver } from '../../src/led/led.ts';
import { describeActuatorDriver } from '../../src/testing/index.ts';

const api = { describe, it, expect };
const on = { action: 'on', args: { durationMs: 1_000 } };

describeActuatorDriver(api, { driver, component: { pins: { line: 27 }, config: {} }, on });
describeActuatorDriver(api, { driver, component: { pins: { line: 27 }, config: { activeLow: true } }, on });

describe('an LED told to go on without a time', () => {
  it('gets a lease of a day', () => {
    const wiring = driver.parseWiring({ pins: { line: 27 }, config: {} });
    expect(driver.checkAction(wiring, 'on', {})).toMatchObject({ leaseMs: 86_400_000, safe: false });
  });
});
