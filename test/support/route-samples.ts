import { randomBytes, randomUUID } from 'node:crypto';
import { formatRegistrationLine } from '@ares/protocol';
import { buildPath, type Route, type RouteId } from '@ares/protocol/http';
import { z } from 'zod';

/** A request of a route that its contract accepts, so that what refuses it is never the validation. */
export interface SampleRequest {
  readonly method: Route['method'];
  /** With the query. */
  readonly path: string;
  readonly body: unknown;
}

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Record<string, JsonSchema>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly pattern?: string;
  readonly allOf?: readonly JsonSchema[];
  readonly format?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly minItems?: number;
}

/** What no schema says; new for each request where the cloud takes a value once only. */
const samples: Partial<Record<RouteId, () => { readonly body?: object; readonly query?: object }>> = {
  sendCommand: () => ({ body: { componentType: 'pump', action: 'on', args: { durationMs: 1_000 } } }),
  issueOfflineToken: () => ({ body: { scope: ['pump:on'] } }),
  attachComponent: () => ({ body: { componentType: 'cpu' } }),
  registerDevice: () => ({ body: { registrationLine: formatRegistrationLine(newDevice()) } }),
  preregister: () => ({ body: newDevice() }),
  shareDevice: () => ({ body: { email: `${randomUUID()}@example.org` } }),
  addComponentType: () => ({ body: { componentType: `type-${randomBytes(4).toString('hex')}` } }),
  addHardwareVariant: () => ({
    body: { hardwareVersion: 'sim-1', hardwareVariant: randomUUID().slice(0, 20) },
  }),
};

const newDevice = () => ({
  cpuSerial: randomBytes(8).toString('hex'),
  deviceUuid: randomUUID(),
  identityKeyHash: randomBytes(32).toString('hex'),
  hardwareVersion: 'sim-1',
  hardwareVariant: 'greenhouse',
});

/** Texts of which one fits each pattern of the contract. */
const texts = [
  'aa',
  'Aa1',
  '1',
  '123456',
  '00000000-0000-4000-8000-000000000000',
  'ab'.repeat(8),
  'ab'.repeat(16),
  'ab'.repeat(32),
  'A'.repeat(43),
  'a1.1',
  'someone@example.org',
  '2026-01-01T00:00:00.000Z',
];

/**
 * @param params values of the path where it matters which; the others are made from their schema
 * @throws {Error} for a route whose contract nobody can guess: it needs an entry above
 */
export function sampleRequest(
  route: Route,
  params: Readonly<Record<string, string | number>>,
): SampleRequest {
  const { body, query } = samples[route.id as RouteId]?.() ?? {};
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const made = (route.params === undefined ? {} : sampleOf(route, 'params', route.params)) as object;
  const known = Object.fromEntries(Object.entries(params).filter(([name]) => names.includes(name)));
  const search = new URLSearchParams(
    Object.entries(route.query === undefined ? {} : (sampleOf(route, 'query', route.query, query) as object)),
  ).toString();
  return {
    method: route.method,
    path: buildPath(route.path, { ...made, ...known }) + (search === '' ? '' : `?${search}`),
    body: route.body === undefined ? undefined : sampleOf(route, 'body', route.body, body),
  };
}

function sampleOf(route: Route, part: string, schema: z.ZodType, given: object = {}): unknown {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const made = { ...(sampleValue(json) as object), ...given };
  const parsed = schema.safeParse(made);
  if (!parsed.success) {
    throw new Error(
      `No sample of the ${part} of ${route.id} can be made: add one to test/support/route-samples.ts. ${parsed.error.message}`,
    );
  }
  return made;
}

function sampleValue(schema: JsonSchema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.anyOf !== undefined) return sampleValue(schema.anyOf[0]!);
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        (schema.required ?? []).map((name) => [name, sampleValue(schema.properties?.[name] ?? {})]),
      );
    case 'array':
      return Array.from({ length: schema.minItems ?? 0 }, () => sampleValue(schema.items ?? {}));
    case 'integer':
    case 'number':
      return Math.max(1, schema.minimum ?? 1, (schema.exclusiveMinimum ?? 0) + 1);
    case 'boolean':
      return false;
    case 'string':
      return textOf(schema);
    default:
      return 1;
  }
}

function textOf(schema: JsonSchema): string {
  const patterns = [schema, ...(schema.allOf ?? [])].flatMap(({ pattern }) => pattern ?? []);
  const fits = (text: string) => patterns.every((pattern) => new RegExp(pattern, 'u').test(text));
  const text =
    schema.format === 'email'
      ? 'someone@example.org'
      : (texts.find((one) => fits(one) && one.length >= (schema.minLength ?? 0)) ?? 'a');
  return text.padEnd(schema.minLength ?? 0, 'a');
}
