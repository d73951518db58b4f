import { MOST_DEVICE_KEYS, MOST_OFFLINE_TOKENS, OFFLINE_TOKEN_MAX_MS } from '@ares/protocol/offline-tokens';

export type KeyAlgorithm = 'ED25519' | 'ES256';

/** A key as its owner sees it. */
export interface KeyRow {
  readonly kid: string;
  readonly alg: KeyAlgorithm;
  readonly createdAt: Date;
  readonly rotatedAt: Date | null;
  readonly deactivatedAt: Date | null;
}

/** The key that signs. */
export interface ActiveKey {
  readonly id: number;
  readonly kid: string;
  readonly alg: KeyAlgorithm;
  readonly sealed: Buffer;
}

/** An issued token as its owner sees it. */
export interface TokenRow {
  readonly jti: string;
  readonly scope: readonly string[];
  readonly kid: string;
  readonly status: 'VALID' | 'REVOKED' | 'ENDED' | 'EXPIRED';
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
}

export interface KeysConfig {
  /** How long a rotated key stays in the JWKS: as long as the longest token lives. */
  readonly overlapMs: number;
  /** Most keys of a device that are in use or ended within the overlap. */
  readonly mostKeys: number;
  /** Most tokens of an assignment that have not expired. */
  readonly mostTokens: number;
}

export const keysDefaults: KeysConfig = {
  overlapMs: OFFLINE_TOKEN_MAX_MS,
  mostKeys: MOST_DEVICE_KEYS,
  mostTokens: MOST_OFFLINE_TOKENS,
};
