export { type ActuatorSuite, describeActuatorDriver } from './describe-actuator-driver.ts';
export { describeGpioChip, type GpioBench } from './describe-gpio-chip.ts';
export { describeSensorDriver, type SensorSuite } from './describe-sensor-driver.ts';
export { createFakeGpio, type FakeGpio } from './fake-gpio.ts';
export { createMockHardware, type MockAnswer, type MockHardware, silentLogger } from './mock-hardware.ts';
export type { TestApi } from './test-api.ts';
export { createTestClock, type TestClock } from './test-clock.ts';
