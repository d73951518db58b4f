import { z } from 'zod';
import { deviceJwksSchema } from '../../offline-tokens/jwks.ts';
import { page, pageQuery } from '../paging.ts';
import { defineRoute, PUBLIC } from '../route.ts';
import { deviceParams, isoTime, shared } from '../schemas.ts';

/** RFC 7638 thumbprint. */
const kid = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be the kid of a key');
const alg = z.enum(['ED25519', 'ES256']);

const deviceKey = z
  .strictObject({
    kid,
    alg,
    /** `ACTIVE` signs; `ROTATED` is still in the JWKS until `publishedUntil`; `DEACTIVATED` ended at once. */
    status: z.enum(['ACTIVE', 'ROTATED', 'DEACTIVATED']),
    createdAt: isoTime,
    /** When the tokens that it signed have all expired; `null` while it is active and once it is deactivated. */
    publishedUntil: isoTime.nullable(),
    deactivatedAt: isoTime.nullable(),
  })
  .meta({ id: 'DeviceKey' });

/** Keys of devices, for offline tokens only. */
export const keyRoutes = {
  rotateKey: defineRoute({
    id: 'rotateKey',
    method: 'POST',
    path: '/api/devices/{id}/keys/rotate',
    summary: 'A new key for offline tokens; the old one stays in the JWKS until its tokens have expired',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ alg: alg.default('ED25519') }),
    success: { 201: deviceKey },
    problems: ['NOT_FOUND', 'TOO_MANY_REQUESTS'],
  }),
  listKeys: defineRoute({
    id: 'listKeys',
    method: 'GET',
    path: '/api/devices/{id}/keys',
    summary: 'Keys for offline tokens, newest first; without their private halves, which nobody ever sees',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    query: z.strictObject({ ...pageQuery, status: deviceKey.shape.status.optional() }),
    success: { 200: page(deviceKey) },
    problems: ['NOT_FOUND'],
  }),
  deactivateKey: defineRoute({
    id: 'deactivateKey',
    method: 'POST',
    path: '/api/devices/{id}/keys/{kid}/deactivate',
    summary: 'End a key and all its tokens now',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams.extend({ kid }),
    success: { 200: deviceKey },
    problems: ['NOT_FOUND'],
  }),
  deviceJwks: defineRoute({
    id: 'deviceJwks',
    method: 'GET',
    path: '/api/devices/{id}/jwks',
    summary: 'Public keys that verify offline tokens of the device',
    policy: 'anyone',
    listeners: ['public', 'device'],
    cacheSeconds: 60,
    params: deviceParams,
    success: { 200: shared(deviceJwksSchema) },
    problems: ['NOT_FOUND'],
  }),
} as const;
