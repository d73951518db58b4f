import { z } from 'zod';
import { page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { deviceParams, isoTime, uuid } from '../schemas.ts';

const reason = z.string().trim().min(1).max(500);

const securityEvent = z
  .strictObject({
    eventId: z.int(),
    at: isoTime,
    /** For instance `CLONE_SUSPECTED`. */
    code: z.string(),
    detail: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'SecurityEvent' });

const alert = z
  .strictObject({
    alertId: z.int(),
    at: isoTime,
    kind: z.string(),
    /** `null` where it is about no single device. */
    deviceUuid: uuid.nullable(),
    /** Evidence, for administrators. */
    detail: z.record(z.string(), z.unknown()).optional(),
    resolvedAt: isoTime.nullable(),
    resolution: z.string().nullable(),
  })
  .meta({ id: 'Alert' });

/** What operators see of devices that misbehave, and what they do about it. */
export const supervisionRoutes = {
  blockDevice: defineRoute({
    id: 'blockDevice',
    method: 'POST',
    path: '/api/devices/{id}/block',
    summary: 'Shut the device out: its certificate is refused at once, and nobody can claim it',
    policy: 'admin',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ reason }),
    success: { 204: null },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  unblockDevice: defineRoute({
    id: 'unblockDevice',
    method: 'POST',
    path: '/api/devices/{id}/unblock',
    summary: 'Let a blocked device in again, as what it was before',
    policy: 'admin',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ reason }),
    success: { 204: null },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  liftQuarantine: defineRoute({
    id: 'liftQuarantine',
    method: 'POST',
    path: '/api/devices/{id}/quarantine/lift',
    summary: 'Trust a quarantined device again: its readings, which wait on it, are taken',
    policy: 'admin',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ reason }),
    success: { 204: null },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  listSecurityEvents: defineRoute({
    id: 'listSecurityEvents',
    method: 'GET',
    path: '/api/devices/{id}/security-events',
    summary: 'What happened to the device that somebody should look at, newest first',
    policy: 'admin',
    listeners: PUBLIC,
    params: deviceParams,
    query: z.strictObject({
      ...pageQuery,
      code: z.string().max(80).optional(),
      from: isoTime.optional(),
      to: isoTime.optional(),
    }),
    success: { 200: page(securityEvent) },
    problems: ['NOT_FOUND'],
  }),
  listAlerts: defineRoute({
    id: 'listAlerts',
    method: 'GET',
    path: '/api/alerts',
    summary:
      'Alerts, newest first: of the devices that the caller owns, since he does; for administrators all',
    policy: 'user',
    listeners: PUBLIC,
    query: z.strictObject({
      ...pageQuery,
      open: z.enum(['true', 'false']).optional(),
      kind: z.string().max(80).optional(),
      deviceUuid: uuid.optional(),
    }),
    success: { 200: page(alert) },
    problems: [],
  }),
  testAlert: defineRoute({
    id: 'testAlert',
    method: 'POST',
    path: '/api/alerts/test',
    summary: 'Raise an alert of the kind TEST, to see that whoever should hears of it',
    policy: 'admin',
    listeners: PUBLIC,
    body: z.strictObject({
      /** Its owner sees the alert too. */
      deviceUuid: uuid.optional(),
      note: reason.optional(),
    }),
    success: { 201: alert },
    problems: ['NOT_FOUND'],
  }),
  resolveAlert: defineRoute({
    id: 'resolveAlert',
    method: 'POST',
    path: '/api/alerts/{alertId}/resolve',
    summary: 'Say that an alert was dealt with, and how',
    policy: 'admin',
    listeners: PUBLIC,
    params: z.strictObject({ alertId: z.coerce.number().int().positive() }),
    body: z.strictObject({ resolution: reason }),
    success: { 200: alert },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
} as const;
