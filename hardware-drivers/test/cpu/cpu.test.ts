import { describe, expect, it } from 'vitest';
import { driver } from '../../src/cpu/cpu.ts';
import { DriverError } from '../../src/index.ts';
import {
  createMockHardware,
  createTestClock,
  describeSensorDriver,
  silentLogger,
} from '../../src/testing/index.ts';

const sample = {
  averageLoadPercent: 12.5,
  peakLoadPercent: 80,
  temperatureCelsius: 51.2,
  memoryUsedPercent: 33,
};

describeSensorDriver(
  { describe, it, expect },
  {
    driver,
    component: { pins: {}, config: {} },
    working: (hardware) => hardware.setCpu(sample),
    broken: (hardware) => hardware.setCpu(new DriverError('NO_ANSWER', 'no /proc')),
  },
);

describe('a board without a thermal zone', () => {
  it('reports no temperature instead of a zero', async () => {
    const hardware = createMockHardware();
    hardware.setCpu({ ...sample, temperatureCelsius: null });
    const cpu = driver.create({
      pins: {},
      config: {},
      hardware,
      clock: createTestClock(),
      logger: silentLogger,
    });
    await cpu.start();
    expect((await cpu.read()).map(({ metric }) => metric)).toEqual([
      'load_average',
      'load_peak',
      'memory_used',
    ]);
  });
});
