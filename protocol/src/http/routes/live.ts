import { z } from 'zod';
import { formatQuery, page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC, streamable } from '../route.ts';
import { deviceParams, isoTime, stateDocument, storedReading, uuid } from '../schemas.ts';

const rolledReadings = z
  .strictObject({
    componentId: z.int(),
    componentType: z.string(),
    metric: z.string(),
    unit: z.string(),
    /** Begin of the minute, hour or day (UTC). */
    start: isoTime,
    min: z.number(),
    avg: z.number(),
    max: z.number(),
    count: z.int(),
  })
  .meta({ id: 'RolledReadings' });

/** `CLOCK`: before 2020 or ahead of the cloud; `TOO_OLD`: older than readings are kept; the others: not storable. */
const quarantineReasons = ['CLOCK', 'TOO_OLD', 'NO_PARTITION', 'NOT_STORABLE'] as const;

const quarantinedReading = z
  .strictObject({
    deviceUuid: uuid,
    reason: z.enum(quarantineReasons),
    arrivedAt: isoTime,
    /** Epoch ms, as the device claims; it may be no time at all. */
    measuredAtMs: z.number(),
    componentId: z.int(),
    metric: z.string(),
    value: z.number(),
    bootId: z.string(),
    seq: z.int(),
  })
  .meta({ id: 'QuarantinedReading' });

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
    summary:
      'Stored readings of the time when the device was yours; for administrators all. One by one, or minimum, ' +
      'maximum, mean and number of each minute, hour or day (UTC); as JSON by pages, or whole as CSV or NDJSON',
    policy: 'pastReader',
    listeners: PUBLIC,
    params: deviceParams,
    query: z.strictObject({
      componentType: z.string().max(40).optional(),
      componentId: z.coerce.number().int().positive().optional(),
      metric: z.string().max(40).optional(),
      /** Inclusive. */
      from: isoTime.optional(),
      /** Exclusive. */
      to: isoTime.optional(),
      /** Absent: the finest that is still kept at `from`. */
      resolution: z.enum(['raw', 'minute', 'hour', 'day']).optional(),
      order: z.enum(['desc', 'asc']).default('desc'),
      cursor: pageQuery.cursor,
      /** Of a page of JSON; text is streamed to its end. */
      limit: z.coerce.number().int().min(1).max(10_000).default(100),
      ...formatQuery,
    }),
    success: {
      200: streamable(
        z.discriminatedUnion('resolution', [
          page(storedReading).extend({ resolution: z.literal('raw') }),
          page(rolledReadings).extend({ resolution: z.enum(['minute', 'hour', 'day']) }),
        ]),
        ['csv', 'ndjson'],
      ),
    },
    problems: ['NOT_FOUND'],
  }),
  quarantinedReadings: defineRoute({
    id: 'quarantinedReadings',
    method: 'GET',
    path: '/api/telemetry/quarantine',
    summary: 'Readings that were not stored, for their time or because nobody could: newest first',
    policy: 'admin',
    listeners: PUBLIC,
    query: z.strictObject({
      ...pageQuery,
      deviceUuid: uuid.optional(),
      reason: z.enum(quarantineReasons).optional(),
    }),
    success: { 200: page(quarantinedReading) },
    problems: [],
  }),
} as const;
