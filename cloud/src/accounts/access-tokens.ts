import { type CryptoKey, importJWK, jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../ports/clock.ts';
import type { PublicSigningJwk, SecretStore, SigningKeyPair } from '../ports/secret-store.ts';

const LIFETIME_SECONDS = 900;
const TYPE = 'at+jwt';
const DAY_MS = 86_400_000;
/** Each key signs for so long. */
const PERIOD_MS = 30 * DAY_MS;
/** It is published so long before, for whoever keeps the set, and so long after. */
const OVERLAP_MS = DAY_MS;

export interface AccessTokens {
  issue(userUuid: string, sessionId: string): Promise<{ accessToken: string; expiresInSeconds: number }>;
  /** `undefined` for anything but an unexpired token that this installation issued. `expiresAt` in epoch ms. */
  verify(
    accessToken: string,
  ): Promise<{ userUuid: string; sessionId: string; expiresAt: number } | undefined>;
  /** The public keys of all tokens that count now, as a JWKS. */
  publicKeys(): Promise<readonly PublicSigningJwk[]>;
}

/**
 * Access tokens (RFC 9068, EdDSA) of one installation. Its id is a secret-store entry drawn once, so a token of
 * another environment fails by issuer and audience even where somebody copied the keys. The key changes with the
 * calendar, so that every process has the same one without being told.
 * @param ports.installationId bound into every token
 */
export function createAccessTokens(ports: {
  readonly secrets: Pick<SecretStore, 'keyPair'>;
  readonly clock: Clock;
  readonly installationId: string;
}): AccessTokens {
  const { secrets, clock } = ports;
  const issuer = `urn:ares:installation:${ports.installationId}`;
  const audience = `${issuer}:api`;
  const seconds = () => Math.floor(clock.now() / 1_000);
  const pairs = new Map<string, Promise<HeldKey>>();

  const pairAt = (time: number): Promise<HeldKey> => {
    const name = accessKeyName(time);
    const pair = pairs.get(name) ?? secrets.keyPair(name).then(hold);
    pairs.set(name, pair);
    // A store that was away must be asked again.
    pair.catch(() => pairs.delete(name));
    return pair;
  };
  const heldKeys = async (): Promise<ReadonlyMap<string, HeldKey>> => {
    const now = clock.now();
    const held = await Promise.all([now - OVERLAP_MS, now, now + OVERLAP_MS].map(pairAt));
    return new Map(held.map((one) => [one.pair.kid, one]));
  };

  return {
    async issue(userUuid, sessionId) {
      const { pair, privateKey } = await pairAt(clock.now());
      const accessToken = await new SignJWT({ sid: sessionId })
        .setProtectedHeader({ alg: 'EdDSA', typ: TYPE, kid: pair.kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userUuid)
        .setIssuedAt(seconds())
        .setExpirationTime(seconds() + LIFETIME_SECONDS)
        .sign(privateKey);
      return { accessToken, expiresInSeconds: LIFETIME_SECONDS };
    },
    async verify(accessToken) {
      const keys = await heldKeys();
      try {
        const { payload } = await jwtVerify(
          accessToken,
          async ({ kid }) => {
            const key = keys.get(kid ?? '');
            if (key === undefined) throw new TypeError('no such key');
            return key.publicKey;
          },
          {
            algorithms: ['EdDSA'],
            typ: TYPE,
            issuer,
            audience,
            requiredClaims: ['sub', 'sid', 'exp', 'iat'],
            currentDate: new Date(clock.now()),
          },
        );
        return {
          userUuid: payload.sub!,
          sessionId: String(payload['sid']),
          expiresAt: payload.exp! * 1_000,
        };
      } catch {
        return undefined;
      }
    },
    publicKeys: async () => [...(await heldKeys()).values()].map(({ pair }) => pair.publicJwk),
  };
}

interface HeldKey {
  readonly pair: SigningKeyPair;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

async function hold(pair: SigningKeyPair): Promise<HeldKey> {
  const [privateKey, publicKey] = await Promise.all([
    importJWK(pair.privateJwk, 'EdDSA'),
    importJWK(pair.publicJwk, 'EdDSA'),
  ]);
  return { pair, privateKey: privateKey as CryptoKey, publicKey: publicKey as CryptoKey };
}

/** Name in the secret store of the key that signs at a time. */
export function accessKeyName(time: number): string {
  return `access-tokens-${Math.floor(time / PERIOD_MS)}`;
}
