export { catalogueEntry } from './catalogue.ts';
export { defineDriver } from './define-driver.ts';
export {
  type ActionDefinition,
  type ActuatorDefinition,
  type ActuatorInstance,
  type ActuatorLimits,
  type CheckedAction,
  type DriverContext,
  type DriverDefinition,
  driverApiVersion,
  type LineFunction,
  type Measurement,
  type MetricDefinition,
  type PinUse,
  type Quality,
  type SensorDefinition,
  type SensorInstance,
  type Wiring,
} from './driver.ts';
export type {
  ActionSpec,
  ActuatorBody,
  ActuatorSpec,
  MeasuredValue,
  PinSpec,
  SensorBody,
  SensorSpec,
} from './driver-spec.ts';
export { DriverError, type DriverErrorCode } from './errors.ts';
export { type DriverLocation, loadExternalDriver, locateExternalDriver } from './external-driver.ts';
export { supplySdk } from './external-sdk.ts';
export { type GpioChoice, openBoardGpio } from './gpio/board-gpio.ts';
export {
  type GpioChip,
  GpioError,
  type GpioErrorCode,
  type InputLine,
  type InputOptions,
  type LineLevel,
  type OutputLine,
  type OutputOptions,
  type SafeOutput,
} from './gpio/gpio-line.ts';
export type {
  AdcChip,
  CpuSample,
  CpuSampler,
  Dht22Answer,
  Dht22Bus,
  DriverClock,
  DriverLogger,
  Hardware,
  PwmChip,
  PwmLine,
} from './hardware.ts';
export { openPiHardware } from './pi-hardware.ts';
export { builtInTypes, createDriverRegistry, type DriverRegistry } from './registry.ts';
export { z } from './schema.ts';
export { systemDriverClock } from './system-clock.ts';
export { withTimeout } from './with-timeout.ts';
