import { z } from 'zod';
import { OFFLINE_TOKEN_MAX_MS, offlineTokenProblems, scopeItemSchema } from '../../offline-tokens/claims.ts';
import { page, pageQuery } from '../paging.ts';
import { DEVICES, defineRoute, PUBLIC } from '../route.ts';
import { deviceParams, isoTime, shared, uuid } from '../schemas.ts';

const scope = z
  .array(shared(scopeItemSchema))
  .min(1)
  .max(64)
  .refine((items) => new Set(items).size === items.length, 'must not repeat itself');
const token = z.string().min(1).max(16_384);

const offlineToken = z
  .strictObject({
    jti: uuid,
    scope: z.array(z.string()),
    kid: z.string(),
    /** `ENDED`: its key was deactivated, or the device was given away. */
    status: z.enum(['VALID', 'REVOKED', 'ENDED', 'EXPIRED']),
    issuedAt: isoTime,
    expiresAt: isoTime,
    revokedAt: isoTime.nullable(),
  })
  .meta({ id: 'OfflineToken' });

const revocations = z.strictObject({
  /** Compact JWS by a command key of the trust file; `typ` is `offline-revocations+jwt`. */
  revocations: z.string(),
});

/** Tokens that let their holder act on a device without the cloud. */
export const offlineTokenRoutes = {
  issueOfflineToken: defineRoute({
    id: 'issueOfflineToken',
    method: 'POST',
    path: '/api/devices/{id}/offline-tokens',
    summary: 'A token that allows some actions on this device while the cloud cannot be asked',
    policy: 'ownerOnly',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({
      /** `pump:on`: component types that are attached, with actions that they know. */
      scope,
      ttlSeconds: z
        .int()
        .min(1)
        .max(OFFLINE_TOKEN_MAX_MS / 1_000),
    }),
    success: { 201: z.strictObject({ token, jti: uuid, kid: z.string(), expiresAt: isoTime }) },
    problems: ['NOT_FOUND', 'CONFLICT', 'FORBIDDEN', 'UNKNOWN_ACTION', 'TOO_MANY_REQUESTS'],
  }),
  listOfflineTokens: defineRoute({
    id: 'listOfflineTokens',
    method: 'GET',
    path: '/api/devices/{id}/offline-tokens',
    summary: 'Issued offline tokens, newest first; the tokens themselves are nowhere kept',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    query: z.strictObject({ ...pageQuery, status: offlineToken.shape.status.optional() }),
    success: { 200: page(offlineToken) },
    problems: ['NOT_FOUND'],
  }),
  verifyOfflineToken: defineRoute({
    id: 'verifyOfflineToken',
    method: 'POST',
    path: '/api/devices/offline-tokens/verify',
    summary: 'Whether an offline token counts at this moment, and if not, why',
    policy: 'user',
    listeners: PUBLIC,
    body: z.strictObject({
      token,
      /** Also ask whether it is for this device. */
      deviceUuid: uuid.optional(),
      /** Also ask whether it allows this: `pump:on`. */
      action: z.optional(shared(scopeItemSchema)),
    }),
    success: {
      200: z.strictObject({ valid: z.boolean(), reason: z.enum(offlineTokenProblems).nullable() }),
    },
    problems: [],
  }),
  revokeOfflineToken: defineRoute({
    id: 'revokeOfflineToken',
    method: 'POST',
    path: '/api/devices/offline-tokens/revoke',
    summary: 'Revoke a token of an own device, by itself or its jti; for administrators of any device',
    policy: 'user',
    listeners: PUBLIC,
    body: z.union([z.strictObject({ token }), z.strictObject({ jti: uuid })]),
    success: { 204: null },
    problems: ['NOT_FOUND'],
  }),
  revokeOfflineTokens: defineRoute({
    id: 'revokeOfflineTokens',
    method: 'POST',
    path: '/api/devices/{id}/offline-tokens/revoke',
    summary: 'Revoke one token of the device, or without jti all of them',
    policy: 'owner',
    listeners: PUBLIC,
    params: deviceParams,
    body: z.strictObject({ jti: uuid.optional() }),
    success: { 200: z.strictObject({ revoked: z.int() }) },
    problems: ['NOT_FOUND'],
  }),
  offlineRevocations: defineRoute({
    id: 'offlineRevocations',
    method: 'GET',
    path: '/api/devices/{id}/offline-tokens/revocations',
    summary: 'The signed list of revoked offline tokens, for whoever checks them',
    policy: 'anyone',
    listeners: PUBLIC,
    params: deviceParams,
    success: { 200: revocations },
    problems: ['NOT_FOUND'],
  }),
  deviceOfflineRevocations: defineRoute({
    id: 'deviceOfflineRevocations',
    method: 'GET',
    path: '/api/devices/{id}/offline-tokens/revocations',
    summary: 'The signed list of revoked offline tokens, for the device itself',
    policy: 'device',
    listeners: DEVICES,
    params: deviceParams,
    success: { 200: revocations },
    problems: ['CERTIFICATE_REQUIRED', 'NOT_FOUND'],
  }),
} as const;
