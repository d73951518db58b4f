import { z } from 'zod';
import { defineRoute, PUBLIC } from '../route.ts';

/** The service itself. */
export const serviceRoutes = {
  health: defineRoute({
    id: 'health',
    method: 'GET',
    path: '/healthz',
    summary: 'Whether the parts that the cloud stands on answer',
    policy: 'anyone',
    listeners: ['public', 'device'],
    success: {
      200: z.strictObject({
        status: z.enum(['ok', 'degraded']),
        database: z.string(),
        broker: z.string(),
        stateStore: z.string(),
      }),
      503: z.strictObject({
        status: z.enum(['ok', 'degraded']),
        database: z.string(),
        broker: z.string(),
        stateStore: z.string(),
      }),
    },
    problems: [],
  }),
  openapi: defineRoute({
    id: 'openapi',
    method: 'GET',
    path: '/openapi.json',
    summary: 'This API as OpenAPI 3.1',
    policy: 'anyone',
    listeners: PUBLIC,
    success: { 200: z.looseObject({ openapi: z.string() }) },
    problems: [],
  }),
} as const;
