import type { Foundation } from './compose-foundation.ts';
import { createKeyService } from './keys/key-service.ts';
import { createRevocationList } from './keys/revocation-list.ts';
import { keyRoutes } from './keys/routes.ts';
import { createTokenService } from './keys/token-service.ts';

/** Keys of devices and offline tokens. */
export function createKeyHandlers(
  foundation: Pick<Foundation, 'database' | 'secrets' | 'clock' | 'newUuid' | 'orders' | 'installationId'>,
): ReturnType<typeof keyRoutes> {
  const issuer = `urn:ares:installation:${foundation.installationId}`;
  return keyRoutes({
    keys: createKeyService(foundation),
    tokens: createTokenService({ ...foundation, issuer }),
    revocations: createRevocationList({ ...foundation, issuer }),
  });
}
