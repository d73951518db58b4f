import { z } from 'zod';
import { page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { deviceParams, isoTime, uuid } from '../schemas.ts';

const binding = z
  .strictObject({
    deviceUuid: uuid,
    /** Grows with each owner of the device, and with each claim of his. */
    assignment: z.int().positive(),
    userId: uuid,
    email: z.string(),
    boundAt: isoTime,
    /** `null` for the active one, of which a device has at most one. */
    unboundAt: isoTime.nullable(),
  })
  .meta({ id: 'Binding' });

/** Devices and their owners, by an administrator's hand and in retrospect. */
export const bindingRoutes = {
  bindDevice: defineRoute({
    id: 'bindDevice',
    method: 'POST',
    path: '/api/devices/{id}/bind',
    summary: 'Claim the device for a user: it is his when the device itself has completed the claim',
    policy: 'admin',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ userId: uuid }),
    success: {
      201: z.strictObject({ claimId: uuid, nonce: z.string(), expiresAt: isoTime, deviceApiUrl: z.url() }),
    },
    problems: [
      'NOT_FOUND',
      'CONFLICT',
      'IDENTITY_UNKNOWN',
      'DEVICE_OWNED',
      'DEVICE_BLOCKED',
      'RECOVERY_NEEDED',
      'TOO_MANY_REQUESTS',
    ],
  }),
  unbindDevice: defineRoute({
    id: 'unbindDevice',
    method: 'POST',
    path: '/api/devices/{id}/unbind',
    summary: 'Take the device from its owner: the same as to unlink it',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 204: null },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  getBinding: defineRoute({
    id: 'getBinding',
    method: 'GET',
    path: '/api/devices/{id}/binding',
    summary: 'Whose the device is; null when it is nobody’s',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 200: z.strictObject({ binding: binding.nullable() }) },
    problems: ['NOT_FOUND'],
  }),
  listDeviceBindings: defineRoute({
    id: 'listDeviceBindings',
    method: 'GET',
    path: '/api/users/{userId}/device-bindings',
    summary: 'Devices that a user owns, or owned: newest first',
    policy: 'self',
    listeners: PUBLIC,
    params: z.strictObject({ userId: uuid }),
    query: z.strictObject({ ...pageQuery, active: z.enum(['true', 'false']).optional() }),
    success: { 200: page(binding) },
    problems: ['NOT_FOUND'],
  }),
} as const;
