import { z } from 'zod';
import { defineRoute, PUBLIC } from '../route.ts';

/** `ok`, `unavailable`, or `unused` where the process does not need that part. */
const part = z.enum(['ok', 'unavailable', 'unused']);
const health = z
  .strictObject({
    status: z.enum(['ok', 'degraded', 'draining']),
    database: part,
    broker: part,
    stateStore: part,
  })
  .meta({ id: 'Health' });

/** The service itself. */
export const serviceRoutes = {
  root: defineRoute({
    id: 'root',
    method: 'GET',
    path: '/',
    summary: 'What this is and where its documents are; browsers get the panel instead',
    policy: 'anyone',
    listeners: PUBLIC,
    success: {
      200: z.strictObject({
        name: z.literal('ares'),
        version: z.string(),
        documentation: z.string(),
        openapi: z.string(),
        asyncapi: z.string(),
      }),
    },
    problems: [],
  }),
  health: defineRoute({
    id: 'health',
    method: 'GET',
    path: '/healthz',
    summary: 'Whether the parts that the cloud stands on answer',
    policy: 'anyone',
    listeners: ['public', 'device'],
    success: { 200: health, 503: health },
    problems: [],
  }),
  ready: defineRoute({
    id: 'ready',
    method: 'GET',
    path: '/readyz',
    summary:
      'Whether requests should be sent here: not without database or broker, nor while the process ends',
    policy: 'anyone',
    listeners: ['public', 'device'],
    success: { 200: health, 503: health },
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
  asyncapi: defineRoute({
    id: 'asyncapi',
    method: 'GET',
    path: '/asyncapi.json',
    summary: 'The MQTT topics as AsyncAPI 3.0',
    policy: 'anyone',
    listeners: PUBLIC,
    success: { 200: z.looseObject({ asyncapi: z.string() }) },
    problems: [],
  }),
} as const;
