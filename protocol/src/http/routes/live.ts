import { z } from 'zod';
import { defineRoute, PUBLIC } from '../route.ts';
import { deviceParams, isoTime, list, stateDocument, storedReading } from '../schemas.ts';

/** State, events and readings. */
export const liveRoutes = {
  state: defineRoute({
    id: 'state',
    method: 'GET',
    path: '/api/devices/{id}/state',
    summary: 'The live state document',
    policy: 'reader',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 200: stateDocument },
    problems: ['NOT_FOUND'],
  }),
  deviceEvents: defineRoute({
    id: 'deviceEvents',
    method: 'GET',
    path: '/api/devices/{id}/events',
    summary: 'Live state of one device as server-sent events',
    policy: 'reader',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 200: 'event-stream' },
    problems: ['NOT_FOUND'],
  }),
  events: defineRoute({
    id: 'events',
    method: 'GET',
    path: '/api/events',
    summary: 'Live state of all devices of the caller as server-sent events',
    policy: 'user',
    listeners: PUBLIC,
    success: { 200: 'event-stream' },
    problems: [],
  }),
  telemetry: defineRoute({
    id: 'telemetry',
    method: 'GET',
    path: '/api/devices/{id}/telemetry',
    summary: 'Stored readings of the time when the device was yours, newest first; for administrators all',
    policy: 'pastReader',
    listeners: PUBLIC,
    params: deviceParams,
    query: z.strictObject({
      componentType: z.string().max(40).optional(),
      componentId: z.coerce.number().int().positive().optional(),
      metric: z.string().max(40).optional(),
      from: isoTime.optional(),
      to: isoTime.optional(),
      limit: z.coerce.number().int().min(1).max(10_000).default(100),
    }),
    success: { 200: list(storedReading) },
    problems: ['NOT_FOUND'],
  }),
} as const;
