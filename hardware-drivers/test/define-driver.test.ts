import { describe, expect, it } from 'vitest';
import { defineDriver, z } from '../src/index.ts';
import { actuatorWith, sensorSpec } from './support/drivers.ts';

const create = () => ({ read: () => [] });

/** As a driver in plain JavaScript could be written. */
const define = (changes: Record<string, unknown>) => () =>
  defineDriver({ ...sensorSpec, create, ...changes } as unknown as Parameters<typeof defineDriver>[0]);

describe('a description of a driver', () => {
  it.each([
    ['a type that is no topic level', { type: 'Soil/Probe' }, /type must be lower-case/],
    ['an unknown kind', { kind: 'robot' }, /kind must be/],
    ['no metrics', { metrics: {} }, /at least one value/],
    [
      'a metric without a range',
      { metrics: { level: { unit: '%', min: 5, max: 5, stateKey: 'x' } } },
      /min below max/,
    ],
    ['a metric without a unit', { metrics: { level: { min: 0, max: 5, stateKey: 'x' } } }, /no unit/],
    [
      'a state key that is no key',
      { metrics: { level: { unit: '%', min: 0, max: 5, stateKey: 'a b' } } },
      /stateKey/,
    ],
    ['a config that is no schema', { config: {} }, /config must be a schema/],
    ['pins as a function', { pins: () => [] }, /pins must name each line/],
    ['an unknown line function', { pins: { line: { function: 'pwm' } } }, /needs a function/],
    ['a sensor with an output', { pins: { line: { function: 'output' } } }, /is an actuator/],
    ['no create', { create: undefined }, /create must be/],
    ['a frantic sample interval', { sampleIntervalMs: 1 }, /sampleIntervalMs/],
    ['an actuator without actions', { kind: 'actuator', actions: {} }, /needs an action/],
    ['an actuator without an output', { kind: 'actuator', actions: {} }, /no guard could make it safe/],
    ['an off of its own', { kind: 'actuator', actions: { off: {} } }, /"off" comes by itself/],
    [
      'an action without a longest run',
      { kind: 'actuator', actions: { on: { args: z.strictObject({}) } } },
      /needs longestRunMs/,
    ],
  ])('with %s is refused', (_, changes, message) => {
    expect(define(changes)).toThrow(message);
    expect(define(changes)).toThrow(expect.objectContaining({ code: 'DRIVER_INVALID' }));
  });

  it('names every fault at once', () => {
    expect(define({ type: '', summary: '', metrics: {} })).toThrow(/type must.*summary must.*metrics must/);
  });

  it('for another driver API is refused with what to do', () => {
    expect(define({ apiVersion: 2 })).toThrow(expect.objectContaining({ code: 'API_VERSION' }));
    expect(define({ apiVersion: 2 })).toThrow(/update the agent/);
    expect(define({ apiVersion: undefined })).toThrow(/write apiVersion: 1/);
  });
});

describe('an actuator made of it', () => {
  it('tells a guard every output, without help from its author', () => {
    const { driver, hardware, wiring } = actuatorWith(() => ({}));
    expect(driver.safeOutputs(wiring, hardware)).toEqual([
      { bcm: 17, path: '/fake/gpio17/value', safeValue: '0' },
    ]);
  });

  it('has off and stop, both safe, and limits from its actions', () => {
    const { driver, wiring } = actuatorWith(() => ({}));
    expect(driver.actions).toMatchObject({ on: { safe: false }, off: { safe: true }, stop: { safe: true } });
    expect(driver.limits(wiring)).toEqual({ longestRunMs: 10_000, minimumOffMs: 0 });
    expect(driver.checkAction(wiring, 'on', { durationMs: 10_000 })).toMatchObject({ leaseMs: 10_000 });
    expect(() => driver.checkAction(wiring, 'on', { durationMs: 10_001 })).toThrow(/at most 10000 ms/);
    expect(() => driver.checkAction(wiring, 'on', { durationMs: 0 })).toThrow(/at least 1/);
  });
});
