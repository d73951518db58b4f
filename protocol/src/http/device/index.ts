/** The HTTP calls that a device makes: schemas small enough for the agent (zod/mini). */
import * as z from 'zod/mini';
import { attachedComponentSchema, componentTypeDefinitionSchema } from '../../components.ts';
import {
  assignmentSchema,
  cpuSerialSchema,
  epochMsSchema,
  hardwareVersionSchema,
  keyIdSchema,
  uuidSchema,
} from '../../ids.ts';
import { pinRuleSchema } from '../../pins.ts';

const base64url = (maxLength: number) =>
  z.string().check(z.regex(/^[A-Za-z0-9_-]+$/, 'must be base64url without padding'), z.maxLength(maxLength));

export const grantSchema = z.enum(['claim', 'renew', 'identity', 'recovery']);
export type Grant = z.infer<typeof grantSchema>;

export const deviceApiPaths = {
  challenges: '/api/devices/challenges',
  credentials: '/api/devices/credentials',
  standing: '/api/devices/standing',
  resetReceipt: '/api/devices/reset-receipt',
  time: '/api/devices/time',
  components: (deviceUuid: string) => `/api/components/devices/${deviceUuid}/components`,
} as const;

/** `POST /api/devices/challenges`: a nonce for any grant but `claim`, and for standing and receipt. */
export const challengeRequestSchema = z.strictObject({ deviceUuid: uuidSchema });
export const challengeAnswerSchema = z.strictObject({ nonce: base64url(100), expiresAt: z.string() });

/** `POST /api/devices/credentials`. `signature` is P1363 over {@link credentialsSigningInput}. */
export const credentialsRequestSchema = z.strictObject({
  grant: grantSchema,
  deviceUuid: uuidSchema,
  cpuSerial: cpuSerialSchema,
  nonce: base64url(100),
  /** With `claim`. */
  claimId: z.optional(uuidSchema),
  /** With `recovery`: the owner's one-time token. */
  recoveryToken: z.optional(base64url(100)),
  /** DER of the PKCS#10 request (RFC 2986). */
  csr: base64url(4_000),
  /** SPKI of the identity key (DER). */
  identityKey: base64url(400),
  signature: base64url(100),
});
export type CredentialsRequest = z.infer<typeof credentialsRequestSchema>;

/** The answer, the same at each renewal. The shared secret is 32 bytes. */
export const credentialsAnswerSchema = z.strictObject({
  /** PEM: leaf first, then the issuing certificate. */
  certificateChain: z.string().check(z.maxLength(20_000)),
  /** Lower-case hex. */
  certificateSerial: z.string().check(z.regex(/^[0-9a-f]{1,40}$/)),
  notBefore: epochMsSchema,
  notAfter: epochMsSchema,
  sharedSecret: base64url(43),
  kid: keyIdSchema,
  assignment: assignmentSchema,
  userEmail: z.string().check(z.minLength(3), z.maxLength(254)),
  mqtt: z.strictObject({ host: z.string(), port: z.int().check(z.minimum(1), z.maximum(65_535)) }),
  /** The device raises its boot counter at least to this. */
  bootFloor: z.int().check(z.nonnegative()),
  hardwareVersion: hardwareVersionSchema,
  hardwareVariant: hardwareVersionSchema,
  cloudTime: epochMsSchema,
});
export type CredentialsAnswer = z.infer<typeof credentialsAnswerSchema>;

/** `POST /api/devices/standing`; `signature` over {@link standingSigningInput}. The answer is `{ standing: <JWS> }`. */
export const standingRequestSchema = z.strictObject({
  deviceUuid: uuidSchema,
  nonce: base64url(100),
  signature: base64url(100),
});
export const standingAnswerSchema = z.strictObject({ standing: z.string().check(z.maxLength(8_192)) });

/** `POST /api/devices/time`: the cloud's time, signed together with a nonce that the device makes. */
export const timeRequestSchema = z.strictObject({ nonce: base64url(100).check(z.minLength(16)) });
export const timeAnswerSchema = z.strictObject({ time: z.string().check(z.maxLength(2_048)) });

/** `POST /api/devices/reset-receipt`; `signature` over {@link receiptSigningInput}. */
export const resetReceiptRequestSchema = z.strictObject({
  deviceUuid: uuidSchema,
  assignment: assignmentSchema,
  /** `jti` of the order; `null` for a reset by button or CLI. */
  orderId: z.nullable(uuidSchema),
  nonce: base64url(100),
  signature: base64url(100),
});

/** `GET /api/components/devices/{id}/components`: what is wired, what the types mean, what the board allows. */
export const deviceComponentsSchema = z.strictObject({
  items: z.array(attachedComponentSchema).check(z.maxLength(64)),
  types: z.array(componentTypeDefinitionSchema).check(z.maxLength(64)),
  rules: z.array(pinRuleSchema).check(z.maxLength(1_000)),
  /** Grows with each change of the list. */
  revision: z.int().check(z.nonnegative()),
});
export type DeviceComponents = z.infer<typeof deviceComponentsSchema>;

/**
 * Text that the identity key signs for credentials.
 * @param input.bound claim id, or hex SHA-256 of the recovery token, or `-`
 * @param input.csrHash hex SHA-256 of the request's DER
 * @param input.apiHost `host:port` that the device talks to
 */
export function credentialsSigningInput(input: {
  readonly grant: Grant;
  readonly apiHost: string;
  readonly deviceUuid: string;
  readonly cpuSerial: string;
  readonly nonce: string;
  readonly bound: string;
  readonly csrHash: string;
}): string {
  const { grant, apiHost, deviceUuid, cpuSerial, nonce, bound, csrHash } = input;
  return ['ARES-CREDENTIALS-V1', grant, apiHost, deviceUuid, cpuSerial, nonce, bound, csrHash].join('\n');
}

/** Text that the identity key signs to ask for its standing. */
export function standingSigningInput(input: { apiHost: string; deviceUuid: string; nonce: string }): string {
  return ['ARES-STANDING-V1', input.apiHost, input.deviceUuid, input.nonce].join('\n');
}

/** Text that the identity key signs as receipt of a reset. */
export function receiptSigningInput(input: {
  apiHost: string;
  deviceUuid: string;
  assignment: number;
  orderId: string | null;
  nonce: string;
}): string {
  const { apiHost, deviceUuid, assignment, orderId, nonce } = input;
  return ['ARES-RESET-RECEIPT-V1', apiHost, deviceUuid, String(assignment), orderId ?? '-', nonce].join('\n');
}
