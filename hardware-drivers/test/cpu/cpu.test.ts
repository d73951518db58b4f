import { describe, expect, it } from 'vitest';
import { driver } from '../../src/cpu/cpu.ts';
import { type CpuSample, DriverError } from '../../src/index.ts';
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
  undervoltage: false,
  throttled: true,
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

async function readings(told: CpuSample) {
  const hardware = createMockHardware();
  hardware.setCpu(told);
  const cpu = driver.create({
    pins: {},
    config: {},
    hardware,
    clock: createTestClock(),
    logger: silentLogger,
  });
  await cpu.start();
  return Object.fromEntries((await cpu.read()).map(({ metric, value }) => [metric, value]));
}

describe('reading the processor', () => {
  it('reports load, heat, memory, and a board that slows down or has a weak supply', async () => {
    expect(await readings(sample)).toEqual({
      load_average: 12.5,
      load_peak: 80,
      temperature: 51.2,
      memory_used: 33,
      undervoltage: 0,
      throttled: 1,
    });
  });

  it('leaves out what the board does not know, instead of a zero', async () => {
    const unknown = {
      temperatureCelsius: null,
      memoryUsedPercent: null,
      undervoltage: null,
      throttled: null,
    };
    expect(await readings({ ...sample, ...unknown })).toEqual({ load_average: 12.5, load_peak: 80 });
  });
});
