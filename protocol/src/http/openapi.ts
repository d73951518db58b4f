import { z } from 'zod';
import { createDocument, type ZodOpenApiPathsObject } from 'zod-openapi';
import { problemCodes, problems } from '../problems.ts';
import { contract } from './contract.ts';
import { isStreamable, type Route, type Streamable, textFormats } from './route.ts';
import { problemDetails } from './schemas.ts';

/** The contract as an OpenAPI 3.1 document. */
export function openApiDocument(options: { readonly version: string }): object {
  const paths: ZodOpenApiPathsObject = {};
  const routes = (Object.values(contract) as Route[]).toSorted(
    (a, b) => Number(b.listeners.includes('public')) - Number(a.listeners.includes('public')),
  );
  for (const route of routes) {
    const methods = (paths[route.path] ?? {}) as Record<string, object>;
    const method = route.method.toLowerCase();
    // The device's own view of a path is on another listener; the document shows the one for apps.
    if (!(method in methods)) paths[route.path] = { ...methods, [method]: operation(route) };
  }
  return createDocument({
    openapi: '3.1.1',
    info: {
      title: 'Ares',
      version: options.version,
      description: 'Devices, their live state, readings and commands.',
    },
    paths,
    components: {
      securitySchemes: {
        user: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        device: { type: 'mutualTLS' },
      },
    },
  });
}

function operation(route: Route): object {
  const answers = Object.entries(route.success).map(([status, schema]) => [
    status,
    schema === null
      ? { description: 'Done' }
      : schema === 'event-stream'
        ? {
            description: 'Server-sent events',
            content: { 'text/event-stream': { schema: { type: 'string' } } },
          }
        : isStreamable(schema)
          ? { description: 'Success', content: streamableContent(schema) }
          : {
              description: 'Success',
              ...(route.etag === true && { headers: etagHeader }),
              content: { 'application/json': { schema } },
            },
  ]);
  const failures = new Map<number, string[]>();
  for (const code of problemCodes) {
    if (!route.problems.includes(code)) continue;
    const { status } = problems[code];
    failures.set(status, [...(failures.get(status) ?? []), code]);
  }
  return {
    operationId: route.id,
    summary: route.summary,
    tags: [route.listeners.includes('public') ? 'apps' : 'devices'],
    'x-policy': route.policy,
    security:
      route.policy === 'anyone' || route.policy === 'deviceKey'
        ? []
        : [{ [route.policy === 'device' ? 'device' : 'user']: [] }],
    requestParams: {
      ...(route.params !== undefined && { path: route.params }),
      ...(route.query !== undefined && { query: route.query }),
      ...(takesIdempotencyKey(route) && { header: idempotencyHeader }),
      ...(route.etag === true && route.method !== 'GET' && { header: ifMatchHeader }),
    },
    ...(route.body !== undefined && {
      requestBody: { required: true, content: { 'application/json': { schema: route.body } } },
    }),
    responses: {
      ...Object.fromEntries(answers),
      ...Object.fromEntries(
        [...failures].map(([status, codes]) => [
          status,
          {
            description: codes.join(', '),
            content: { 'application/problem+json': { schema: problemDetails } },
          },
        ]),
      ),
      default: {
        description: 'Any problem',
        content: { 'application/problem+json': { schema: problemDetails } },
      },
    },
  };
}

const idempotencyHeader = z.object({
  'Idempotency-Key': z.string().optional().meta({
    description: 'Sent again with the same key within a day, the request is done once and answered alike',
  }),
});

const ifMatchHeader = z.object({
  'If-Match': z.string().optional().meta({ description: 'ETag of the version on which the change was made' }),
});
const etagHeader = z.object({ ETag: z.string().meta({ description: 'Version of what is answered' }) });

/** Keys belong to a user: without one there is nobody to remember them for. */
function takesIdempotencyKey({ method, policy }: Route): boolean {
  return method === 'POST' && !['anyone', 'device', 'deviceKey'].includes(policy);
}

function streamableContent({ json, text }: Streamable): Record<string, object> {
  const streamed = text.map((format) => [textFormats[format], { schema: { type: 'string' } }]);
  return { 'application/json': { schema: json }, ...Object.fromEntries(streamed) };
}
