/** Offline tokens: what lets somebody act on a device while the cloud cannot be asked. Runs in any engine. */
export { fromBase64url, toBase64url } from './base64url.ts';
export {
  CLOCK_SKEW_MS,
  checkOfflineToken,
  readOfflineToken,
  type TokenExpectation,
  type TokenResult,
} from './check-token.ts';
export {
  MOST_DEVICE_KEYS,
  MOST_OFFLINE_TOKENS,
  OFFLINE_TOKEN_MAX_MS,
  OFFLINE_TOKEN_TYPE,
  type OfflineTokenClaims,
  type OfflineTokenProblem,
  offlineTokenProblems,
  parseOfflineTokenClaims,
  parseRevocationsClaims,
  REVOCATIONS_TYPE,
  type RevocationsClaims,
  scopeItemSchema,
} from './claims.ts';
export {
  type DeviceJwks,
  type DevicePublicKey,
  deviceJwksSchema,
  deviceKeySchema,
  parseJwks,
} from './jwks.ts';
export { createJwksFetch, type JwksFetch, JwksFetchError, type JwksFetchErrorCode } from './jwks-fetch.ts';
export { createKeyCache, type KeyCache } from './key-cache.ts';
export {
  openRevocations,
  type Revocations,
  type RevocationsProblem,
  type RevocationsStore,
} from './revocations.ts';
export { createOfflineTokenValidator, type OfflineTokenValidator, type WantedAction } from './validator.ts';
