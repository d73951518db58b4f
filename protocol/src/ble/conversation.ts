import * as z from 'zod/mini';
import { ssidSchema, wifiSettingsSchema as wifi } from '../wifi.ts';
import { type BleDeviceState, DEVICE_STATES } from './device-states.ts';
import { DEVICE_ERROR_CODES, STEP_ERROR_CODES } from './errors.ts';

/*
 * What is said inside the session. Here stand the bodies; `messages.ts` adds the envelope `{ v, id, … }`.
 */

function shortText(max: number, pattern: RegExp, message: string) {
  return z.string().check(z.maxLength(max, `must have at most ${max} characters`), z.regex(pattern, message));
}

const token = (min: number) =>
  shortText(512, new RegExp(`^[A-Za-z0-9_-]{${min},}$`), `must be at least ${min} characters of base64url`);

const apiUrl = shortText(
  256,
  /^https:\/\/(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~/-]*)?$/,
  'must be an https URL without user, query and fragment',
);

const phoneTime = z.int('must be a whole number').check(z.positive('must be positive'));

export const requestSchemas = {
  identity: z.strictObject({ type: z.literal('identity') }),
  'wifi-scan': z.strictObject({ type: z.literal('wifi-scan') }),
  provision: z.strictObject({
    type: z.literal('provision'),
    /** Absent: the device keeps the network that it has, for instance by cable. */
    wifi: z.optional(wifi),
    /** Base URL of the cloud's device API. */
    apiUrl,
    /** Id and nonce from the answer to `POST /api/devices/claim`. */
    claimId: token(1),
    nonce: token(16),
    /** The phone's clock in ms since 1970: a floor for the device's, no more. */
    phoneTime,
  }),
  status: z.strictObject({ type: z.literal('status') }),
  recover: z.strictObject({
    type: z.literal('recover'),
    /** The owner's one-time recovery token. */
    token: token(16),
    apiUrl,
    phoneTime,
  }),
  'wifi-change': z.strictObject({ type: z.literal('wifi-change'), wifi, phoneTime }),
} as const;

/** Steps of a transaction, in the order in which they happen. */
export const PROVISIONING_STEPS = [
  'wifi',
  'address',
  'clock',
  'dns',
  'tls',
  'claim',
  'certificate',
  'first-reading',
] as const;
export type ProvisioningStep = (typeof PROVISIONING_STEPS)[number];

/** Most characters of a `detail`. */
export const MAX_DETAIL_LENGTH = 300;

const detail = z.string().check(z.maxLength(MAX_DETAIL_LENGTH));
const name = z.string().check(z.minLength(1), z.maxLength(64));

const accepted = <T extends string>(type: T) => z.strictObject({ type: z.literal(type) });

export const responseSchemas = {
  identity: z.strictObject({
    type: z.literal('identity'),
    cpuSerial: name,
    deviceUuid: z.string().check(z.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)),
    /** Hex SHA-256 of the DER SubjectPublicKeyInfo of the identity key. */
    identityKeyHash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
    hardwareVersion: name,
    hardwareVariant: name,
  }),
  'wifi-scan': z.strictObject({
    type: z.literal('wifi-scan'),
    /** Strongest first. Left out: names that no request can carry, and the weakest beyond one message. */
    networks: z.array(
      z.strictObject({
        ssid: ssidSchema,
        signalDbm: z.int(),
        /** `other`: the device cannot join it (WEP, enterprise). */
        security: z.enum(['open', 'wpa', 'other']),
      }),
    ),
  }),
  /** The transaction has begun; `status` tells how it goes. */
  provision: accepted('provision'),
  status: z.strictObject({
    type: z.literal('status'),
    state: z.enum(DEVICE_STATES),
    /** Steps of the latest transaction, in order; empty when there was none. */
    steps: z
      .array(
        z.strictObject({
          step: z.enum(PROVISIONING_STEPS),
          result: z.enum(['pending', 'running', 'ok', 'failed']),
          /** Present exactly when the step failed. */
          code: z.optional(z.enum(STEP_ERROR_CODES)),
          detail: z.optional(detail),
        }),
      )
      .check(z.maxLength(PROVISIONING_STEPS.length)),
  }),
  recover: accepted('recover'),
  'wifi-change': accepted('wifi-change'),
  error: z.strictObject({ type: z.literal('error'), code: z.enum(DEVICE_ERROR_CODES), detail }),
} as const;

export type BleRequestType = keyof typeof requestSchemas;
export type BleRequestOf<T extends BleRequestType> = z.infer<(typeof requestSchemas)[T]>;
export type BleResponseOf<T extends BleRequestType> = z.infer<(typeof responseSchemas)[T]>;
export type BleRequest = { [T in BleRequestType]: BleRequestOf<T> }[BleRequestType];
/** Answer of the device's handler to a request; its `type` equals the request's. */
export type BleResponse = { [T in BleRequestType]: BleResponseOf<T> }[BleRequestType];
export type BleErrorResponse = z.infer<typeof responseSchemas.error>;
export type WifiNetwork = BleResponseOf<'wifi-scan'>['networks'][number];
export type StepReport = BleResponseOf<'status'>['steps'][number];

/** What a device answers in which state (threats BLE-09, BLE-12); anything else is NOT_ALLOWED_IN_STATE. */
const ALLOWED: { readonly [S in BleDeviceState]: readonly BleRequestType[] } = {
  claimable: ['identity', 'wifi-scan', 'provision', 'status'],
  provisioning: ['status'],
  provisioned: ['status', 'recover', 'wifi-scan', 'wifi-change'],
  'recovery-needed': ['status', 'recover', 'wifi-scan', 'wifi-change'],
  resetting: ['status'],
};

/** Whether a device in this state may carry out such a request. */
export function isRequestAllowed(state: BleDeviceState, type: BleRequestType): boolean {
  return ALLOWED[state].includes(type);
}
