import {
  createMockHardware,
  createTestClock,
  describeSensorDriver,
  silentLogger,
} from '@ares/hardware-drivers/testing';
import { describe, expect, it } from 'vitest';
import motion from './index.js';

const component = { pins: { line: 5 }, config: {} };

describeSensorDriver(
  { describe, it, expect },
  { driver: motion, component, working: (hardware) => hardware.gpio.drive(5, '0') },
);

describe('a motion sensor', () => {
  it('reports a movement that came and went between two reads, once', async () => {
    const hardware = createMockHardware();
    const sensor = motion.create({
      ...motion.parseWiring(component),
      hardware,
      clock: createTestClock(),
      logger: silentLogger,
    });
    await sensor.start();
    hardware.gpio.drive(5, '1');
    hardware.gpio.drive(5, '0');
    expect(await sensor.read()).toMatchObject([{ metric: 'motion', value: 1 }]);
    expect(await sensor.read()).toMatchObject([{ metric: 'motion', value: 0 }]);
    await sensor.stop();
  });
});
