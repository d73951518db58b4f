import type { DevicePublicKey } from '@ares/protocol/offline-tokens';
import type { ColumnType, Generated } from 'kysely';

type Fixed<T> = ColumnType<T, T, never>;

/** Keys of devices. For offline tokens only, never for orders. */
interface DeviceKeys {
  id: Generated<number>;
  device_id: Fixed<number>;
  kid: Fixed<string>;
  alg: Fixed<'ED25519' | 'ES256'>;
  public_jwk: ColumnType<DevicePublicKey, string, never>;
  /** The private JWK, sealed for this device and `kid`; gone when the key signs no more. */
  sealed_private: Buffer | null;
  created_at: Fixed<Date>;
  /** When another key took its place. */
  rotated_at: Date | null;
  deactivated_at: Date | null;
}

/** Issued tokens; the tokens themselves are not kept. */
interface OfflineTokens {
  jti: Fixed<string>;
  device_id: Fixed<number>;
  assignment_id: Fixed<number>;
  device_key_id: Fixed<number>;
  user_id: Fixed<number>;
  scope: Fixed<string[]>;
  issued_at: Fixed<Date>;
  expires_at: Fixed<Date>;
  revoked_at: ColumnType<Date | null, never, Date>;
}

/** Grows with each revocation, deactivated key and change of the assignment. */
interface OfflineRevocations {
  device_id: number;
  version: number;
}

export interface KeysTables {
  device_keys: DeviceKeys;
  offline_tokens: OfflineTokens;
  offline_revocations: OfflineRevocations;
}
