import * as z from 'zod/mini';
import { assignmentSchema, uuidSchema } from '../ids.ts';
import { type Parsed, parseWith } from '../parse.ts';

/** `typ` of an offline token: a compact JWS that lets its holder act on one device without the cloud. */
export const OFFLINE_TOKEN_TYPE = 'offline+jwt';
/** `typ` of the list of revoked tokens, a compact JWS by a command key of the trust file. */
export const REVOCATIONS_TYPE = 'offline-revocations+jwt';

/** Longest life of a token, of the overlap of a rotated key, and of a revocation list. */
export const OFFLINE_TOKEN_MAX_MS = 86_400_000;
/** Most tokens of one assignment that have not expired, and so the longest list of revoked ones. */
export const MOST_OFFLINE_TOKENS = 200;
/** Most keys of one device that a JWKS shows, and most deactivated ones on a list. */
export const MOST_DEVICE_KEYS = 16;

/** `pump:on`: a component type and an action of it. */
export const scopeItemSchema = z
  .string()
  .check(
    z.regex(
      /^[a-z][a-z0-9]*(-[a-z0-9]+)*:[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
      'must be <component type>:<action>, for instance pump:on',
    ),
    z.maxLength(81),
  );

const seconds = z.int().check(z.positive(), z.maximum(8_640_000_000_000));
const numericDate = z.number().check(z.positive(), z.maximum(8_640_000_000_000));
const issuer = z.string().check(z.minLength(1), z.maxLength(200));
const kid = z.string().check(z.minLength(1), z.maxLength(100));

/** Claims of an offline token. Times are NumericDates (RFC 7519), whole seconds. */
const offlineTokenClaimsSchema = z.strictObject({
  iss: issuer,
  /** Device UUID. */
  aud: uuidSchema,
  /** Assignment: the token ends with it. */
  asg: assignmentSchema,
  /** UUID of the user who issued it. */
  sub: uuidSchema,
  jti: uuidSchema,
  iat: seconds,
  nbf: seconds,
  exp: seconds,
  /** Scope items, one space between two (RFC 8693): nothing else is allowed to the holder. */
  scope: z.string().check(
    z.maxLength(6_000),
    z.refine((text) => {
      const items = text.split(' ');
      return (
        items.length <= 64 &&
        new Set(items).size === items.length &&
        items.every((item) => z.safeParse(scopeItemSchema, item).success)
      );
    }, 'must be up to 64 different <component type>:<action>, one space between two'),
  ),
});
export type OfflineTokenClaims = z.infer<typeof offlineTokenClaimsSchema>;

/** Claims of a revocation list. Tokens and keys that have expired by themselves are not on it. */
const revocationsClaimsSchema = z.strictObject({
  iss: issuer,
  /** Device UUID. */
  aud: uuidSchema,
  /** The device's running assignment; tokens of any other are over. `null`: nobody owns it. */
  asg: z.nullable(assignmentSchema),
  /** Grows with each revocation, deactivated key and change of the assignment. */
  version: z.int().check(z.nonnegative()),
  iat: numericDate,
  exp: numericDate,
  /** `jti` of revoked tokens. */
  tokens: z.array(uuidSchema).check(z.maxLength(MOST_OFFLINE_TOKENS)),
  /** `kid` of deactivated keys. */
  keys: z.array(kid).check(z.maxLength(1_000)),
});
export type RevocationsClaims = z.infer<typeof revocationsClaimsSchema>;

export const parseOfflineTokenClaims = (input: unknown): Parsed<OfflineTokenClaims> =>
  parseWith(offlineTokenClaimsSchema, input);
export const parseRevocationsClaims = (input: unknown): Parsed<RevocationsClaims> =>
  parseWith(revocationsClaimsSchema, input);

/** Why a token is not accepted. Closed: a caller may switch over it. */
export const offlineTokenProblems = [
  /** Not a compact JWS of three parts, too long, a header with other members, or claims of another shape. */
  'MALFORMED',
  /** `alg` is not on the list, or not the one of the key. */
  'ALGORITHM',
  'TYPE',
  'UNKNOWN_KEY',
  'SIGNATURE',
  'ISSUER',
  /** Made for another device. */
  'AUDIENCE',
  /** Made for an owner who gave the device away. */
  'ASSIGNMENT',
  'NOT_YET_VALID',
  'EXPIRED',
  /** Valid for longer than a token may be. */
  'LIFETIME',
  'REVOKED',
  /** Its key was deactivated. */
  'KEY_DEACTIVATED',
  /** The action is not one of its scope. */
  'SCOPE',
  /** The newest revocation list is too old, or there is none: only what stops is allowed. */
  'REVOCATIONS_STALE',
  /** Nothing tells the time: only what stops is allowed. */
  'CLOCK_UNKNOWN',
] as const;
export type OfflineTokenProblem = (typeof offlineTokenProblems)[number];
