import { createPrivateKey } from 'node:crypto';
import {
  type CommandClaims,
  type ComponentsChangedClaims,
  orderTypes,
  type ResetClaims,
  type StandingClaims,
  type TimeClaims,
  type WifiChangeClaims,
} from '@ares/protocol';
import type { REVOCATIONS_TYPE, RevocationsClaims } from '@ares/protocol/offline-tokens';
import { CompactSign } from 'jose';
import type { Clock } from '../ports/clock.ts';
import type { PublicSigningJwk, SigningKeyPair } from '../ports/secret-store.ts';

/** What each kind of order says, and the list of revoked offline tokens. */
interface OrderClaims {
  [orderTypes.command]: CommandClaims;
  [orderTypes.componentsChanged]: ComponentsChangedClaims;
  [orderTypes.reset]: ResetClaims;
  [orderTypes.standing]: StandingClaims;
  [orderTypes.time]: TimeClaims;
  [orderTypes.wifiChange]: WifiChangeClaims;
  [REVOCATIONS_TYPE]: RevocationsClaims;
}

/** Signs orders to devices with the key that stands in their trust file. */
export interface OrderSigner {
  /** A compact JWS (EdDSA) with `typ` and `kid` in its header; `iat` is set here, with milliseconds as decimals. */
  sign<T extends keyof OrderClaims>(type: T, claims: Omit<OrderClaims[T], 'iat'>): Promise<string>;
  /** The public key as a JWKS, for trust files. */
  publicJwks(): { readonly keys: readonly PublicSigningJwk[] };
}

const encoder = new TextEncoder();

/** @param options.key `SecretStore.keyPair('command-signing')` */
export function createOrderSigner(options: {
  readonly key: SigningKeyPair;
  readonly clock: Clock;
}): OrderSigner {
  const { key, clock } = options;
  const privateKey = createPrivateKey({ key: { ...key.privateJwk }, format: 'jwk' });
  return {
    async sign(type, claims) {
      const payload = encoder.encode(JSON.stringify({ ...claims, iat: clock.now() / 1_000 }));
      return await new CompactSign(payload)
        .setProtectedHeader({ alg: 'EdDSA', typ: type, kid: key.kid })
        .sign(privateKey);
    },
    publicJwks: () => ({ keys: [key.publicJwk] }),
  };
}
