import { z } from 'zod';
import { defineRoute, PUBLIC } from '../route.ts';
import { deviceParams, isoTime, uuid } from '../schemas.ts';

/** How a device gets an owner, and credentials back. */
export const claimRoutes = {
  claim: defineRoute({
    id: 'claim',
    method: 'POST',
    path: '/api/devices/claim',
    summary: 'Ask to become the owner; the device itself completes it',
    policy: 'user',
    listeners: PUBLIC,
    body: z.strictObject({
      cpuSerial: z.string().regex(/^[0-9a-f]{8,32}$/, 'must be 8 to 32 lower-case hex digits'),
      deviceUuid: uuid,
      identityKeyHash: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
    }),
    success: {
      201: z.strictObject({ claimId: uuid, nonce: z.string(), expiresAt: isoTime, deviceApiUrl: z.url() }),
    },
    problems: [
      'NOT_FOUND',
      'IDENTITY_UNKNOWN',
      'IDENTITY_MISMATCH',
      'DEVICE_OWNED',
      'DEVICE_BLOCKED',
      'RECOVERY_NEEDED',
      'TOO_MANY_REQUESTS',
    ],
  }),
  recoveryToken: defineRoute({
    id: 'recoveryToken',
    method: 'POST',
    path: '/api/devices/{id}/recovery-token',
    summary: 'A one-time token to recover the device, handed over by Bluetooth',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 201: z.strictObject({ token: z.string(), expiresAt: isoTime, deviceApiUrl: z.url() }) },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
  revokeCredentials: defineRoute({
    id: 'revokeCredentials',
    method: 'POST',
    path: '/api/devices/{id}/revoke',
    summary: 'Revoke the certificate; the device then needs recovery',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ reason: z.string().max(500).optional() }),
    success: { 204: null },
    problems: ['NOT_FOUND', 'CONFLICT'],
  }),
} as const;
