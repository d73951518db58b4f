import { z } from 'zod';
import { defineRoute, PUBLIC } from '../route.ts';
import { device, deviceParams, list, uuid } from '../schemas.ts';

/** Devices as people see them. */
export const deviceRoutes = {
  listDevices: defineRoute({
    id: 'listDevices',
    method: 'GET',
    path: '/api/devices',
    summary: 'Devices that the caller owns or may see; for administrators all',
    policy: 'user',
    listeners: PUBLIC,
    success: { 200: list(device) },
    problems: [],
  }),
  getDevice: defineRoute({
    id: 'getDevice',
    method: 'GET',
    path: '/api/devices/{id}',
    summary: 'One device',
    policy: 'reader',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 200: device },
    problems: ['NOT_FOUND'],
  }),
  preregister: defineRoute({
    id: 'preregister',
    method: 'POST',
    path: '/api/devices/preregister',
    summary: 'Register a device before it is sold',
    policy: 'admin',
    listeners: PUBLIC,
    body: z.strictObject({
      cpuSerial: z.string().regex(/^[0-9a-f]{8,32}$/, 'must be 8 to 32 lower-case hex digits'),
      deviceUuid: uuid,
      identityKeyHash: z
        .string()
        .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')
        .optional(),
      hardwareVersion: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,39}$/),
      hardwareVariant: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,39}$/),
      /** Without a key hash: accept the key of the first claim within 24 hours. Audited. */
      allowFirstUse: z.boolean().default(false),
    }),
    success: { 201: z.strictObject({ deviceUuid: uuid }) },
    problems: ['ALREADY_PREREGISTERED', 'KEY_IN_USE'],
  }),
  unlink: defineRoute({
    id: 'unlink',
    method: 'DELETE',
    path: '/api/devices/{id}',
    summary: 'Give the device away: it forgets everything of this owner',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 204: null },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  setNickname: defineRoute({
    id: 'setNickname',
    method: 'PUT',
    path: '/api/devices/{id}/nickname',
    summary: 'Name the device',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ nickname: z.string().trim().min(1).max(80).nullable() }),
    success: { 200: device },
    problems: ['NOT_FOUND'],
  }),
} as const;
