import {
  OFFLINE_TOKEN_MAX_MS,
  OFFLINE_TOKEN_TYPE,
  type OfflineTokenClaims,
  type OfflineTokenProblem,
  parseOfflineTokenClaims,
} from './claims.ts';
import type { DevicePublicKey } from './jwks.ts';
import { readJws, verifyJws } from './jws.ts';

/** How far a clock may be behind the cloud's when a token begins. The end of a token is exact. */
export const CLOCK_SKEW_MS = 60_000;

/** What a token must fit. */
export interface TokenExpectation {
  readonly issuer: string;
  readonly deviceUuid: string;
  /** The device's running assignment; `undefined` when it has none. */
  readonly assignment: number | undefined;
  /** Epoch ms; `undefined` when nothing tells the time, and then no time is checked. */
  readonly now: number | undefined;
}

export type TokenResult =
  | { readonly ok: true; readonly claims: OfflineTokenClaims; readonly kid: string }
  | { readonly ok: false; readonly problem: OfflineTokenProblem };

/** What a token says of itself, before anything of it is believed; `undefined` when it is no such token. */
export function readOfflineToken(
  token: string,
): { readonly kid: string; readonly claims: OfflineTokenClaims | undefined } | undefined {
  const read = readJws(token, OFFLINE_TOKEN_TYPE);
  if (!read.ok) return undefined;
  const parsed = parseOfflineTokenClaims(read.value.payload);
  return { kid: read.value.kid, claims: parsed.ok ? parsed.value : undefined };
}

/** Signature, type, claims, and that it is meant for this device, this owner and this moment. */
export function checkOfflineToken(
  token: string,
  keyOf: (kid: string) => DevicePublicKey | undefined,
  expected: TokenExpectation,
): TokenResult {
  const fail = (problem: OfflineTokenProblem) => ({ ok: false, problem }) as const;
  const read = readJws(token, OFFLINE_TOKEN_TYPE);
  if (!read.ok) return read;
  const { kid } = read.value;
  const verified = verifyJws(read.value, keyOf(kid));
  if (!verified.ok) return verified;
  const parsed = parseOfflineTokenClaims(verified.value);
  if (!parsed.ok) return fail('MALFORMED');
  const { iss, aud, asg } = parsed.value;
  if (iss !== expected.issuer) return fail('ISSUER');
  if (aud !== expected.deviceUuid) return fail('AUDIENCE');
  if (asg !== expected.assignment) return fail('ASSIGNMENT');
  const problem = problemOfTime(parsed.value, expected.now);
  return problem === undefined ? { ok: true, claims: parsed.value, kid } : fail(problem);
}

function problemOfTime(
  { iat, nbf, exp }: OfflineTokenClaims,
  now: number | undefined,
): OfflineTokenProblem | undefined {
  if (exp <= iat || (exp - iat) * 1_000 > OFFLINE_TOKEN_MAX_MS) return 'LIFETIME';
  if (now === undefined) return undefined;
  if (Math.max(iat, nbf) * 1_000 > now + CLOCK_SKEW_MS) return 'NOT_YET_VALID';
  return exp * 1_000 <= now ? 'EXPIRED' : undefined;
}
