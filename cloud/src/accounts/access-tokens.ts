import { importJWK, jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../ports/clock.ts';
import type { SecretStore } from '../ports/secret-store.ts';

const LIFETIME_SECONDS = 3_600;
const TYPE = 'at+jwt';

export interface AccessTokens {
  issue(userUuid: string): Promise<{ accessToken: string; expiresInSeconds: number }>;
  /** `undefined` for anything but an unexpired token that this installation issued. `expiresAt` in epoch ms. */
  verify(accessToken: string): Promise<{ userUuid: string; expiresAt: number } | undefined>;
}

/**
 * Access tokens (RFC 9068, EdDSA) of one installation. Its id is a secret-store entry drawn once, so a token of
 * another environment fails by issuer and audience even where somebody copied the keys.
 * @param ports.installationId bound into every token
 */
export async function createAccessTokens(ports: {
  readonly secrets: Pick<SecretStore, 'keyPair'>;
  readonly clock: Clock;
  readonly installationId: string;
}): Promise<AccessTokens> {
  const { kid, privateJwk, publicJwk } = await ports.secrets.keyPair('access-tokens');
  const privateKey = await importJWK(privateJwk, 'EdDSA');
  const publicKey = await importJWK(publicJwk, 'EdDSA');
  const issuer = `urn:ares:installation:${ports.installationId}`;
  const audience = `${issuer}:api`;
  const seconds = () => Math.floor(ports.clock.now() / 1_000);

  return {
    async issue(userUuid) {
      const accessToken = await new SignJWT({})
        .setProtectedHeader({ alg: 'EdDSA', typ: TYPE, kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userUuid)
        .setIssuedAt(seconds())
        .setExpirationTime(seconds() + LIFETIME_SECONDS)
        .sign(privateKey);
      return { accessToken, expiresInSeconds: LIFETIME_SECONDS };
    },
    async verify(accessToken) {
      try {
        const { payload } = await jwtVerify(accessToken, publicKey, {
          algorithms: ['EdDSA'],
          typ: TYPE,
          issuer,
          audience,
          requiredClaims: ['sub', 'exp', 'iat'],
          currentDate: new Date(ports.clock.now()),
        });
        return { userUuid: payload.sub!, expiresAt: payload.exp! * 1_000 };
      } catch {
        return undefined;
      }
    },
  };
}
