import { DriverError, type Measurement, type MetricDefinition } from '@ares/hardware-drivers';
import * as z from 'zod/mini';
import type { DriverDescription, FromDriversChild, HardwareCall } from '../ports/drivers-child.ts';

/*
 * What the process of drivers by others says is somebody else's word: it is parsed before it is believed.
 */

const id = z.int().check(z.gte(1));
const name = z.string().check(z.minLength(1), z.maxLength(40));
const text = z.string().check(z.maxLength(4_000));
const fields = z.record(z.string(), z.unknown());
const bcm = z.int().check(z.gte(0), z.lte(27));

const answer = z.union([
  z.object({ ok: z.literal(true), value: z.optional(z.unknown()) }),
  z.object({
    ok: z.literal(false),
    error: z.object({
      name: text,
      message: z.string(),
      code: z.optional(z.string()),
      details: z.optional(fields),
    }),
  }),
]);
const hardwareCall = z.union([
  z.object({ do: z.literal('open-output'), bcm, initial: z.boolean() }),
  z.object({
    do: z.literal('open-input'),
    bcm,
    options: z.object({ activeLow: z.exactOptional(z.boolean()) }),
  }),
  z.object({ do: z.literal('open-pwm'), bcm, frequencyHz: z.number() }),
  z.object({ do: z.literal('write'), line: id, on: z.boolean() }),
  z.object({ do: z.literal('set-share'), line: id, share: z.number() }),
  z.object({ do: z.enum(['read-line', 'read-share', 'watch', 'unwatch', 'close']), line: id }),
  z.object({ do: z.literal('query-dht22'), bcm }),
  z.object({ do: z.literal('read-adc'), channel: z.int() }),
  z.object({ do: z.literal('sample-cpu') }),
]);
const message = z.union([
  z.object({ type: z.enum(['entered', 'left', 'abort']), id }),
  z.object({ type: z.literal('answer'), id, answer }),
  z.object({ type: z.literal('pong') }),
  z.object({ type: z.literal('call'), id, instance: id, call: fields }),
  z.object({
    type: z.literal('log'),
    instance: id,
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: text,
    fields,
  }),
  z.object({ type: z.literal('fault'), instance: id, reason: text }),
]);

/** @throws {SyntaxError} {z.core.$ZodError} for what is no message */
export function parseFromDriversChild(line: string): FromDriversChild {
  return z.parse(message, JSON.parse(line)) as FromDriversChild;
}

/**
 * Apart from the message: a driver that asks for what cannot be, e.g. a share of NaN, hears so, and the process of all
 * the others goes on.
 *
 * @throws {DriverError} ARGS_INVALID
 */
export function parseHardwareCall(input: unknown): HardwareCall {
  const parsed = z.safeParse(hardwareCall, input);
  if (parsed.success) return parsed.data as HardwareCall;
  throw new DriverError('ARGS_INVALID', 'the hardware has no such line or value');
}

const description = z.object({
  type: name,
  kind: z.enum(['sensor', 'actuator']),
  summary: text,
  pinRoles: z.array(name),
  metrics: z.record(
    name,
    z.object({ unit: z.string(), min: z.number(), max: z.number(), stateKey: z.string() }),
  ),
  sampleIntervalMs: z.int().check(z.gte(100)),
  pins: z.array(
    z.object({
      role: name,
      bcm,
      function: z.enum(['input', 'output', 'one-wire']),
      activeLow: z.boolean(),
      pulsed: z.boolean(),
    }),
  ),
  actions: z.record(name, z.object({ summary: text, safe: z.boolean(), longestRunMs: z.int() })),
  limits: z.object({ longestRunMs: z.int(), minimumOffMs: z.number() }),
});

/** @throws {DriverError} DRIVER_INVALID */
export function parseDescription(type: string, input: unknown): DriverDescription {
  const parsed = z.safeParse(description, input);
  if (parsed.success && parsed.data.type === type) return parsed.data;
  throw new DriverError(
    'DRIVER_INVALID',
    `the driver of ${type} describes itself in a form that nobody can use`,
  );
}

const measurements = z.array(
  z.object({ metric: name, value: z.number(), quality: z.enum(['good', 'suspect']) }),
);

/** @throws {DriverError} MEASUREMENT_INVALID, OUT_OF_RANGE */
export function parseMeasurements(
  type: string,
  metrics: Readonly<Record<string, MetricDefinition>>,
  input: unknown,
): readonly Measurement[] {
  const parsed = z.safeParse(measurements, input);
  if (!parsed.success || parsed.data.some(({ metric }) => !Object.hasOwn(metrics, metric)))
    throw new DriverError('MEASUREMENT_INVALID', `${type}: what it read is no list of its metrics' values`);
  const beyond = parsed.data.find(({ metric, value }) => {
    const { min, max } = metrics[metric]!;
    return value < min || value > max;
  });
  if (beyond !== undefined)
    throw new DriverError(
      'OUT_OF_RANGE',
      `${type}: ${beyond.metric} ${beyond.value} is outside of its range`,
    );
  return parsed.data;
}
