import * as z from 'zod/mini';
import {
  actionSchema,
  assignmentSchema,
  componentIdSchema,
  componentTypeSchema,
  uuidSchema,
} from '../ids.ts';
import { type Parsed, parseWith } from '../parse.ts';

/**
 * Orders from the cloud to a device: compact JWS (RFC 7515), EdDSA, keys from the trust file, one `typ` each.
 * `iat` and `exp` are NumericDates (RFC 7519), here with milliseconds as decimals.
 */
export const orderTypes = {
  command: 'command+jwt',
  componentsChanged: 'components+jwt',
  reset: 'reset+jwt',
  standing: 'standing+jwt',
  time: 'time+jwt',
  wifiChange: 'wifi-change+jwt',
} as const;
export type OrderType = (typeof orderTypes)[keyof typeof orderTypes];

const numericDate = z.number().check(z.positive(), z.maximum(8_640_000_000_000));

const orderHeader = {
  /** Device UUID. */
  aud: uuidSchema,
  asg: assignmentSchema,
  /** The exact topic. */
  topic: z.string().check(z.minLength(1), z.maxLength(500)),
  jti: uuidSchema,
  iat: numericDate,
} as const;

/** Claims of `command+jwt`. `seq` grows per device and component. */
export const commandClaimsSchema = z.strictObject({
  ...orderHeader,
  exp: numericDate,
  seq: z.int().check(z.positive()),
  componentId: componentIdSchema,
  componentType: componentTypeSchema,
  action: actionSchema,
  /** Arguments of the action, e.g. `{ "durationMs": 10000 }`. */
  args: z.record(z.string(), z.unknown()),
});
export type CommandClaims = z.infer<typeof commandClaimsSchema>;

/** Claims of `components+jwt`: fetch the components again. `seq` is the revision of the list. */
export const componentsChangedClaimsSchema = z.strictObject({
  ...orderHeader,
  exp: numericDate,
  seq: z.int().check(z.nonnegative()),
});
export type ComponentsChangedClaims = z.infer<typeof componentsChangedClaimsSchema>;

/**
 * Claims of `wifi-change+jwt`: join another network and keep it when the cloud is reached over it. `seq` grows per
 * assignment. `credentials` is a compact JWE (RFC 7516; `dir`, `A256GCM`) of the JSON `{ ssid, password? }`, its `kid`
 * that of the shared secret that its key comes from: HKDF-SHA-256 with the secret as input key, the device UUID as
 * salt and {@link WIFI_CHANGE_KEY_INFO}.
 */
export const wifiChangeClaimsSchema = z.strictObject({
  ...orderHeader,
  exp: numericDate,
  seq: z.int().check(z.positive()),
  credentials: z
    .string()
    .check(z.maxLength(1_024), z.regex(/^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/, 'must be a compact JWE')),
});
export type WifiChangeClaims = z.infer<typeof wifiChangeClaimsSchema>;

/** `info` of the key that Wi-Fi credentials in an order are sealed with. */
export const WIFI_CHANGE_KEY_INFO = 'ares-wifi-change-v1';

/** Claims of `reset+jwt`. Without `exp`: outside its assignment it is worthless. */
export const resetClaimsSchema = z.strictObject(orderHeader);
export type ResetClaims = z.infer<typeof resetClaimsSchema>;

const standingSchema = z.enum(['ACTIVE', 'RENEW', 'RECOVERY_NEEDED', 'BLOCKED', 'RELEASED']);
export type Standing = z.infer<typeof standingSchema>;

/** Claims of `standing+jwt`, the answer to `POST /api/devices/standing`. */
const standingClaimsSchema = z.strictObject({
  aud: uuidSchema,
  nonce: z.string().check(z.minLength(16), z.maxLength(200)),
  iat: numericDate,
  standing: standingSchema,
  /** With `RELEASED`: the reset order, a compact JWS. */
  order: z.optional(z.string().check(z.maxLength(4_096))),
});
export type StandingClaims = z.infer<typeof standingClaimsSchema>;

/** Claims of `time+jwt`, the answer to `POST /api/devices/time`: it was `iat` when the question with this nonce was there. */
const timeClaimsSchema = z.strictObject({
  nonce: z.string().check(z.minLength(16), z.maxLength(200)),
  iat: numericDate,
});
export type TimeClaims = z.infer<typeof timeClaimsSchema>;

export const parseCommandClaims = (input: unknown): Parsed<CommandClaims> =>
  parseWith(commandClaimsSchema, input);
export const parseComponentsChangedClaims = (input: unknown): Parsed<ComponentsChangedClaims> =>
  parseWith(componentsChangedClaimsSchema, input);
export const parseResetClaims = (input: unknown): Parsed<ResetClaims> => parseWith(resetClaimsSchema, input);
export const parseWifiChangeClaims = (input: unknown): Parsed<WifiChangeClaims> =>
  parseWith(wifiChangeClaimsSchema, input);
export const parseStandingClaims = (input: unknown): Parsed<StandingClaims> =>
  parseWith(standingClaimsSchema, input);
export const parseTimeClaims = (input: unknown): Parsed<TimeClaims> => parseWith(timeClaimsSchema, input);

/** Actions that only ever make an output safe: excused from clock, `exp`, `seq` and the queue. */
export const safeActions: readonly string[] = ['stop', 'off'];
