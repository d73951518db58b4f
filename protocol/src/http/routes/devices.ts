import { z } from 'zod';
import { parseRegistrationLine } from '../../registration-line.ts';
import { page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { device, deviceParams, hardwareName, lifeCycle, presence, uuid } from '../schemas.ts';

/** Devices as people see them. */
export const deviceRoutes = {
  listDevices: defineRoute({
    id: 'listDevices',
    method: 'GET',
    path: '/api/devices',
    summary: 'Devices that the caller owns or may see; for administrators all',
    policy: 'user',
    listeners: PUBLIC,
    query: z.strictObject({
      ...pageQuery,
      presence: presence.optional(),
      lifeCycle: lifeCycle.optional(),
      hardwareVersion: hardwareName.optional(),
      hardwareVariant: hardwareName.optional(),
      /** Part of nickname, serial or UUID. */
      text: z.string().trim().min(1).max(80).optional(),
      /** E-mail of the owner; for administrators. */
      owner: z.string().max(254).optional(),
      sort: z.enum(['registered', 'nickname', 'lastSeen']).default('registered'),
      order: z.enum(['asc', 'desc']).default('asc'),
    }),
    success: { 200: page(device) },
    problems: ['FORBIDDEN'],
  }),
  getDevice: defineRoute({
    id: 'getDevice',
    method: 'GET',
    path: '/api/devices/{id}',
    summary: 'One device',
    policy: 'reader',
    listeners: PUBLIC,
    params: deviceParams,
    etag: true,
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
      hardwareVersion: hardwareName,
      hardwareVariant: hardwareName,
      /** Without a key hash: accept the key of the first claim within 24 hours. Audited. */
      allowFirstUse: z.boolean().default(false),
    }),
    success: { 201: z.strictObject({ deviceUuid: uuid }) },
    problems: ['ALREADY_PREREGISTERED', 'UUID_TAKEN', 'KEY_IN_USE'],
  }),
  registerDevice: defineRoute({
    id: 'registerDevice',
    method: 'POST',
    path: '/api/devices',
    summary: 'Register a device by the line that factory-init printed, its identity key included',
    policy: 'developer',
    listeners: PUBLIC,
    body: z.strictObject({
      registrationLine: z
        .string()
        .max(400)
        .refine((line) => parseRegistrationLine(line).ok, 'must be the line that factory-init printed'),
    }),
    success: { 201: z.strictObject({ deviceUuid: uuid }) },
    problems: ['ALREADY_PREREGISTERED', 'UUID_TAKEN', 'KEY_IN_USE'],
  }),
  forceUuid: defineRoute({
    id: 'forceUuid',
    method: 'POST',
    path: '/api/devices/{id}/uuid',
    summary: 'Give a device that was registered under a wrong UUID its right one, before anybody claims it',
    policy: 'admin',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ deviceUuid: uuid, reason: z.string().trim().min(1).max(500) }),
    success: { 200: z.strictObject({ deviceUuid: uuid }) },
    problems: ['NOT_FOUND', 'CONFLICT', 'UUID_TAKEN'],
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
    etag: true,
    success: { 200: device },
    problems: ['NOT_FOUND', 'PRECONDITION_FAILED'],
  }),
} as const;
