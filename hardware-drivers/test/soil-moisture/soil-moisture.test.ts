import { describe, expect, it } from 'vitest';
import { driver } from '../../src/soil-moisture/soil-moisture.ts';
import {
  createMockHardware,
  createTestClock,
  describeSensorDriver,
  silentLogger,
} from '../../src/testing/index.ts';

describeSensorDriver(
  { describe, it, expect },
  {
    driver,
    component: { pins: {}, config: { channel: 2 } },
    working: (hardware) => hardware.setAdc(2, 0.6),
    broken: (hardware) => hardware.setAdc(2, 0),
  },
);

describe('a soil-moisture probe', () => {
  it.each([
    [0.85, 0],
    [0.6, 50],
    [0.35, 100],
    [0.33, 100],
    [0.88, 0],
  ])('with the ratio %d reads %d %%', async (ratio, value) => {
    const hardware = createMockHardware();
    hardware.setAdc(0, ratio);
    const probe = driver.create({
      ...driver.parseWiring({ pins: {}, config: {} }),
      hardware,
      clock: createTestClock(),
      logger: silentLogger,
    });
    await probe.start();
    expect(await probe.read()).toEqual([{ metric: 'moisture', value, quality: 'good' }]);
  });

  it('cannot be calibrated to a point', () => {
    expect(() => driver.parseWiring({ pins: {}, config: { dryRatio: 0.5, wetRatio: 0.5 } })).toThrow(
      /must differ/,
    );
  });
});
