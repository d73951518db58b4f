import { safeActions } from '../orders/claims.ts';
import { checkOfflineToken, readOfflineToken, type TokenResult } from './check-token.ts';
import type { OfflineTokenClaims, OfflineTokenProblem } from './claims.ts';
import type { KeyCache } from './key-cache.ts';
import type { Revocations } from './revocations.ts';

/** What the holder of a token wants. */
export interface WantedAction {
  readonly componentType: string;
  readonly action: string;
}

/** Decides whether a token allows an action, without the cloud. */
export interface OfflineTokenValidator {
  /** Never throws. */
  check(token: string, wanted: WantedAction): Promise<TokenResult>;
}

/**
 * The whole decision: key, signature, claims, revocation, scope. When the time is unknown or the revocation list is
 * stale or missing, only what stops is allowed.
 * @param options.assignment the device's running one, asked for at each check
 * @param options.now epoch ms; `undefined` when nothing tells the time
 */
export function createOfflineTokenValidator(options: {
  readonly issuer: string;
  readonly deviceUuid: string;
  readonly assignment: () => number | undefined;
  readonly keys: KeyCache;
  readonly revocations: Pick<Revocations, 'current' | 'isFresh'>;
  readonly now: () => number | undefined;
}): OfflineTokenValidator {
  const { issuer, deviceUuid, assignment, keys, revocations, now } = options;

  const revoked = ({ jti, asg }: OfflineTokenClaims, kid: string): OfflineTokenProblem | undefined => {
    const list = revocations.current();
    if (list === undefined) return undefined;
    if (list.tokens.includes(jti)) return 'REVOKED';
    if (list.keys.includes(kid)) return 'KEY_DEACTIVATED';
    return list.asg === null || list.asg > asg ? 'ASSIGNMENT' : undefined;
  };
  /** What holds whatever the token says. */
  const unsure = (claims: OfflineTokenClaims, time: number | undefined): OfflineTokenProblem | undefined => {
    if (time === undefined) return 'CLOCK_UNKNOWN';
    const list = revocations.current();
    return list?.asg === claims.asg && revocations.isFresh(time) ? undefined : 'REVOCATIONS_STALE';
  };

  return {
    async check(token, { componentType, action }) {
      const kid = readOfflineToken(token)?.kid;
      const key = kid === undefined ? undefined : await keys.find(kid);
      // After the fetch: it may have taken a while.
      const time = now();
      const result = checkOfflineToken(token, () => key, {
        issuer,
        deviceUuid,
        assignment: assignment(),
        now: time,
      });
      if (!result.ok) return result;
      const problem =
        revoked(result.claims, result.kid) ??
        (result.claims.scope.split(' ').includes(`${componentType}:${action}`) ? undefined : 'SCOPE') ??
        (safeActions.includes(action) ? undefined : unsure(result.claims, time));
      return problem === undefined ? result : { ok: false, problem };
    },
  };
}
